// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/piece_index.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <unordered_map>

namespace natscope {
namespace {

TEST_CASE("pieces are found by their text, with room kept for them and without") {
  for (const std::size_t room : {0U, 1U, 33U, 5000U}) {
    CAPTURE(room);
    PieceIndex index;
    CHECK_FALSE(index.find("a"));
    index.reserve(room);
    CHECK_FALSE(index.find(""));
    for (int i = 0; i < 3000; ++i) index.add("piece" + std::to_string(i * 7), i);
    REQUIRE(index.pieces().size() == 3000);
    CHECK(index.pieces()[2].text == "piece14");
    for (int i = 0; i < 3000; ++i) CHECK(index.find("piece" + std::to_string(i * 7)) == i);
    CHECK_FALSE(index.find("piece1"));
    CHECK_FALSE(index.find("piece"));
  }
}

TEST_CASE("merges are found by both halves, and the last word counts") {
  constexpr unsigned seed = 11;
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  MergeIndex index;
  CHECK(index.find(0, 0) == nullptr);
  index.reserve(10);
  std::unordered_map<std::uint64_t, int> wanted;
  for (int i = 0; i < 5000; ++i) {
    const auto left = static_cast<std::int32_t>(random() % 60), right = static_cast<std::int32_t>(random() % 60);
    index.set(left, right, {i, i + 1});
    wanted[static_cast<std::uint64_t>(left) * 60 + static_cast<std::uint64_t>(right)] = i;
  }
  for (std::int32_t left = 0; left < 60; ++left) {
    for (std::int32_t right = 0; right < 60; ++right) {
      const auto found = wanted.find(static_cast<std::uint64_t>(left) * 60 + static_cast<std::uint64_t>(right));
      const PairMerge* const merge = index.find(left, right);
      REQUIRE((merge != nullptr) == (found != wanted.end()));
      if (merge != nullptr) {
        CHECK(merge->rank == found->second);
        CHECK(merge->id == found->second + 1);
      }
    }
  }
  CHECK(index.find(60, 0) == nullptr);
}

}  // namespace
}  // namespace natscope
