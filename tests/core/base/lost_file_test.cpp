// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/lost_file.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "core/base/mapped_file.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

struct Ended {
  int exit_code = -1;
  std::string words;
};

/// What becomes of a process that reads a mapped file whose end was cut off meanwhile.
Ended read_lost_file(const std::filesystem::path& path) {
  std::array<int, 2> pipe_ends{};
  REQUIRE(::pipe(pipe_ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe_ends[1], STDERR_FILENO);
    end_with_a_word_on_lost_files();
    const auto file = MappedFile::open(path);
    if (!file || ::truncate(path.c_str(), 0) != 0) ::_exit(90);
    const volatile std::byte* const last = &file->bytes().back();
    ::_exit(*last == std::byte{'n'} ? 91 : 92);
  }
  ::close(pipe_ends[1]);
  Ended ended;
  std::array<char, 256> part{};
  for (ssize_t got = 0; (got = ::read(pipe_ends[0], part.data(), part.size())) > 0;)
    ended.words.append(part.data(), static_cast<std::size_t>(got));
  ::close(pipe_ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  return ended;
}

TEST_CASE("a file that is cut short while it is read ends the process with a word") {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "weights", std::string(100'000, 'n'));
  const Ended ended = read_lost_file(folder / "weights");
  CHECK(ended.exit_code == exit_code(ErrorCode::io_failure));
  CHECK(ended.words.starts_with("error: io-failure: a file was cut short"));
  CHECK(ended.words.ends_with("\n"));
}

}  // namespace
}  // namespace natscope
