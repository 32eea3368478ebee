// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/text/corpus.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::train;
using natscope::test::TemporaryFolder;

namespace {

Tokenizer small_tokenizer(const TemporaryFolder& folder) {
  test::write_bytes(folder / "tokenizer.model", test::small_sentencepiece().serialized());
  auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
  REQUIRE(tokenizer);
  return *tokenizer;
}

std::vector<std::uint16_t> counting(std::size_t count) {
  std::vector<std::uint16_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<std::uint16_t>(i);
  return tokens;
}

}  // namespace

TEST_CASE("files are taken in the order of their paths, other files are left alone") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "sub");
  for (const char* name : {"b.txt", "a.txt", "sub/c.txt", "readme.md"}) test::write_bytes(folder / name, "ab");
  const auto files = text_files(folder.path());
  REQUIRE(files);
  REQUIRE(files->size() == 3);
  CHECK((*files)[0].filename() == "a.txt");
  CHECK((*files)[1].filename() == "b.txt");
  CHECK((*files)[2].filename() == "c.txt");
}

TEST_CASE("a folder without text, and one that is not there, say so") {
  const TemporaryFolder folder;
  CHECK(text_files(folder.path()).error().code == ErrorCode::bad_data);
  CHECK(text_files(folder / "nowhere").error().code == ErrorCode::file_not_found);
}

TEST_CASE("each file's tokens stand behind a beginning token") {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = small_tokenizer(folder);
  test::write_bytes(folder / "a.txt", "ab\ncd");
  test::write_bytes(folder / "b.txt", "e");
  const auto corpus = Corpus::read(*text_files(folder.path()), tokenizer, {});
  REQUIRE(corpus);
  std::vector<std::uint16_t> expected;
  for (const char* text : {"ab\ncd", "e"}) {
    expected.push_back(static_cast<std::uint16_t>(*tokenizer.bos_id()));
    const auto ids = tokenizer.encode(text);
    REQUIRE(ids);
    for (const std::int32_t id : *ids) expected.push_back(static_cast<std::uint16_t>(id));
  }
  CHECK(std::equal(expected.begin(), expected.end(), corpus->tokens().begin(), corpus->tokens().end()));
  CHECK(corpus->bytes() == 6);
}

TEST_CASE("text that is not UTF-8, or not there, is bad data") {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = small_tokenizer(folder);
  test::write_bytes(folder / "a.txt", "");
  CHECK(Corpus::read(*text_files(folder.path()), tokenizer, {}).error().code == ErrorCode::bad_data);
  test::write_bytes(folder / "a.txt", "ab\xff");
  CHECK(Corpus::read(*text_files(folder.path()), tokenizer, {}).error().code == ErrorCode::bad_data);
}

TEST_CASE("cached tokens are used while they fit, and replaced when they do not") {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = small_tokenizer(folder);
  test::write_bytes(folder / "a.txt", "ab cab");
  const auto files = text_files(folder.path());
  REQUIRE(files);
  const auto read = [&](const char* vocabulary) {
    auto corpus = Corpus::read_cached(*files, tokenizer, vocabulary, folder / "cache", {});
    REQUIRE(corpus);
    return std::vector<std::uint16_t>(corpus->tokens().begin(), corpus->tokens().end());
  };
  const auto fresh = read("v1");
  const std::string cache = test::read_bytes(folder / "cache");
  CHECK(read("v1") == fresh);
  CHECK(test::read_bytes(folder / "cache") == cache);
  CHECK(Corpus::read_cached(*files, tokenizer, "v1", folder / "cache", {})->bytes() == 6);
  CHECK(read("v2") == fresh);
  CHECK(test::read_bytes(folder / "cache") != cache);
  test::write_bytes(folder / "a.txt", "ab cab bed");
  CHECK(read("v2").size() > fresh.size());
  CHECK(Corpus::is_cache(folder / "cache"));
  test::write_bytes(folder / "cache", "broken");
  CHECK_FALSE(Corpus::is_cache(folder / "cache"));
  CHECK(read("v2").size() > fresh.size());
}

TEST_CASE("every epoch reads every segment once, targets one place later") {
  const auto tokens = counting(1000);
  auto order = SegmentOrder::make(tokens, 32, 5);
  REQUIRE(order);
  CHECK(order->segments_per_epoch() == 30);  // (999 - 31) / 32
  std::vector<std::int32_t> inputs(32);
  std::vector<std::int32_t> targets(32);
  std::vector<std::int64_t> first_epoch;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::map<std::int32_t, int> starts;
    std::vector<std::int64_t> sequence;
    for (std::int64_t i = 0; i < 30; ++i) {
      order->read(epoch * 30 + i, inputs, targets);
      ++starts[inputs[0]];
      sequence.push_back(inputs[0]);
      for (int n = 0; n < 32; ++n) {
        CHECK(inputs[static_cast<std::size_t>(n)] == inputs[0] + n);
        CHECK(targets[static_cast<std::size_t>(n)] == inputs[0] + n + 1);
      }
    }
    CHECK(starts.size() == 30);
    CHECK(starts.rbegin()->first - starts.begin()->first == 29 * 32);
    if (epoch == 0)
      first_epoch = sequence;
    else
      CHECK(sequence != first_epoch);
  }
}

TEST_CASE("the order depends on the seed alone, not on what was read before") {
  const auto tokens = counting(500);
  auto one = SegmentOrder::make(tokens, 16, 1);
  auto same = SegmentOrder::make(tokens, 16, 1);
  auto other = SegmentOrder::make(tokens, 16, 2);
  std::vector<std::int32_t> a(16), b(16), c(16), ignored(16);
  int different = 0;
  for (const std::int64_t i : {100, 3, 57, 3}) {
    one->read(i, a, ignored);
    same->read(i == 3 ? 3 : 100 + i, b, ignored);
    same->read(i, b, ignored);
    other->read(i, c, ignored);
    CHECK(a == b);
    different += a != c ? 1 : 0;
  }
  CHECK(different > 0);
}

TEST_CASE("a text of just one segment will do, a shorter one is bad data") {
  const auto tokens = counting(17);
  auto order = SegmentOrder::make(tokens, 16, 1);
  REQUIRE(order);
  CHECK(order->segments_per_epoch() == 1);
  std::vector<std::int32_t> inputs(16), targets(16);
  order->read(7, inputs, targets);
  CHECK(targets[15] == 16);
  CHECK(SegmentOrder::make(tokens, 17, 1).error().code == ErrorCode::bad_data);
  CHECK(SegmentOrder::make({}, 2, 1).error().code == ErrorCode::bad_data);
}
