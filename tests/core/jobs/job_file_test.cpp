// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_file.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::test::TemporaryFolder;

namespace {

void append(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

std::vector<std::string> lines_of(FollowedFile& file) {
  const auto news = file.poll();
  REQUIRE(news);
  return news->lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a followed file gives each line once, and a half line when its rest is there") {
  const TemporaryFolder folder;
  const auto path = folder / "log.txt";
  FollowedFile file(path);
  CHECK(lines_of(file) == Lines{});  // not there yet
  append(path, "one\ntw");
  CHECK(lines_of(file) == Lines{"one"});
  CHECK(lines_of(file) == Lines{});
  append(path, "o");
  CHECK(lines_of(file) == Lines{});
  append(path, "\n\nthree\n");
  CHECK(lines_of(file) == Lines{"two", "", "three"});
}

TEST_CASE("a file that was replaced or cut begins anew") {
  const TemporaryFolder folder;
  const auto path = folder / "log.txt";
  FollowedFile file(path);
  append(path, "one\ntwo\nhal");
  CHECK(lines_of(file) == Lines{"one", "two"});
  test::write_bytes(folder / "new.txt", "one\n2\nand much more than there was before\n");
  std::filesystem::rename(folder / "new.txt", path);
  auto news = file.poll();
  REQUIRE(news);
  CHECK(news->restarted);
  CHECK(news->lines == Lines{"one", "2", "and much more than there was before"});
  std::filesystem::resize_file(path, 4);
  news = file.poll();
  REQUIRE(news);
  CHECK(news->restarted);
  CHECK(news->lines == Lines{"one"});
}

TEST_CASE("lines over the limit are counted and left out, also when they come in pieces") {
  const TemporaryFolder folder;
  const auto path = folder / "log.txt";
  FollowedFile file(path, 8);
  append(path, "12345678\n123456789\nab\n12345");
  auto news = file.poll();
  REQUIRE(news);
  CHECK(news->lines == Lines{"12345678", "ab"});
  CHECK(news->oversized == 1);
  append(path, "6789");
  news = file.poll();
  REQUIRE(news);
  CHECK(news->oversized == 1);
  append(path, "0\nc\n");
  CHECK(lines_of(file) == Lines{"c"});
}

TEST_CASE("one poll reads a bounded piece and says that there is more") {
  const TemporaryFolder folder;
  const auto path = folder / "log.txt";
  const std::string line(1023, 'x');
  std::string text;
  const std::size_t count = FollowedFile::poll_bytes / 1024 + 7;
  for (std::size_t i = 0; i < count; ++i) text += line + "\n";
  append(path, text);
  FollowedFile file(path);
  std::size_t seen = 0;
  int polls = 0;
  for (bool more = true; more; ++polls) {
    const auto news = file.poll();
    REQUIRE(news);
    seen += news->lines.size();
    more = news->more;
  }
  CHECK(seen == count);
  CHECK(polls == 2);
}

TEST_CASE("the tail begins at a line's start") {
  const TemporaryFolder folder;
  const auto path = folder / "log.txt";
  append(path, "aaaa\nbbbb\ncccc\n");
  for (const auto& [bytes, expected] :
       {std::pair(5U, Lines{"cccc"}), std::pair(6U, Lines{"cccc"}), std::pair(9U, Lines{"cccc"}),
        std::pair(10U, Lines{"bbbb", "cccc"}), std::pair(15U, Lines{"aaaa", "bbbb", "cccc"}),
        std::pair(99U, Lines{"aaaa", "bbbb", "cccc"})}) {
    CAPTURE(bytes);
    FollowedFile file(path);
    file.begin_near_end(bytes);
    CHECK(lines_of(file) == expected);
  }
}
