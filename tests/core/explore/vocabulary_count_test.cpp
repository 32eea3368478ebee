// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/vocabulary_count.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace natscope {
namespace {

constexpr std::int32_t layers = 2;
constexpr std::int32_t kv_heads = 3;
constexpr std::int32_t heads = layers * kv_heads;

/// A text in a vocabulary of seven tokens, with roles drawn per head.
struct Text {
  std::vector<std::int32_t> tokens;
  std::vector<std::vector<Role>> roles;  // [layers * kv_heads][T]
  std::vector<float> probabilities;
  std::int64_t window = 0;
};

Text drawn(std::mt19937& random, std::size_t length, std::int64_t window) {
  Text text{{}, std::vector<std::vector<Role>>(heads), {}, window};
  for (std::size_t n = 0; n < length; ++n) {
    text.tokens.push_back(static_cast<std::int32_t>(random() % 7) * 100);
    text.probabilities.push_back(n == 0 || random() % 5 == 0 ? 0.0F : static_cast<float>(random() % 99 + 1) / 100);
    for (auto& head : text.roles) {
      const auto draw = random() % 8;
      head.push_back(n == 0 || draw == 0 ? Role::global : draw < 5 ? Role::local : Role::sliding);
    }
  }
  return text;
}

/// Whether a head holds n after t, asked of the rule for what a query at t + 1 would see.
bool holds(const std::vector<Role>& roles, std::size_t n, std::size_t t, std::int64_t window) {
  std::int32_t next = no_next_global;
  for (std::size_t j = t; j > n; --j) {
    if (roles[j] == Role::global) next = static_cast<std::int32_t>(j);
  }
  return visible(roles[n], TokenPos(static_cast<std::int32_t>(n)), TokenPos(static_cast<std::int32_t>(t + 1)), next,
                 window);
}

SequenceRecord record_of(const Text& text) {
  SequenceRecord record({layers, kv_heads, 8, kernels::ElementType::f32}, false, text.window);
  for (std::size_t t = 0; t < text.tokens.size(); ++t) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(t));
    frame.token = text.tokens[t];
    frame.probability = text.probabilities[t];
    for (const auto& head : text.roles) {
      frame.roles.push_back(head[t]);
      std::int32_t held = 0;
      for (std::size_t n = 0; n <= t; ++n) held += holds(head, n, t, text.window) ? 1 : 0;
      frame.entries.push_back(held);
    }
    REQUIRE(record.append(frame));
  }
  return record;
}

/// Every number once more, cell by cell and step by step.
std::map<std::int32_t, VocabularyItem> counted(const Text& text, std::size_t length) {
  std::map<std::int32_t, VocabularyItem> items;
  for (std::size_t n = 0; n < length; ++n) {
    VocabularyItem& item = items[text.tokens[n]];
    item.token = text.tokens[n];
    ++item.occurrences;
    if (n > 0 && text.probabilities[n] > 0) {
      item.loss -= std::log(static_cast<double>(text.probabilities[n]));
      ++item.predicted;
    }
    for (const auto& roles : text.roles) {
      ++item.role_cells[static_cast<std::size_t>(roles[n])];
      for (std::size_t t = n; t < length; ++t) {
        const bool is_held = holds(roles, n, t, text.window);
        item.role_steps[static_cast<std::size_t>(roles[n])] += is_held ? 1 : 0;
        if (t + 1 == length) item.held_cells += is_held ? 1 : 0;
        // What is held after t is what t + 1 sees.
        if (t + 1 < length) item.life_tokens += is_held ? 1 : 0;
      }
    }
  }
  return items;
}

void check_equal(const VocabularyCount& count, std::map<std::int32_t, VocabularyItem> expected) {
  REQUIRE(count.items().size() == expected.size());
  std::int64_t steps = 0;
  for (VocabularyItem item : count.items()) {
    CAPTURE(item.token);
    VocabularyItem& other = expected[item.token];
    CHECK(item.loss == doctest::Approx(other.loss));
    item.loss = other.loss;
    CHECK(item == other);
    steps += item.held_steps();
  }
  CHECK(count.held_steps() == steps);
}

TEST_CASE("counts of the vocabulary are those of the rule, cell by cell and step by step") {
  std::mt19937 random(20261128);
  for (const std::size_t length : {std::size_t{1}, std::size_t{2}, std::size_t{31}, std::size_t{97}}) {
    for (const std::int64_t window : {0, 1, 5, 200}) {
      CAPTURE(length);
      CAPTURE(window);
      const Text text = drawn(random, length, window);
      const SequenceRecord record = record_of(text);
      VocabularyCount count;
      count.add(record);
      check_equal(count, counted(text, length));
      // The accounting has the same entries, step by step.
      std::int64_t held = 0;
      for (const TokenFrame& frame : record.frames()) {
        for (const std::int32_t entries : frame.entries) held += entries;
      }
      CHECK(count.held_steps() == held);
    }
  }
}

TEST_CASE("tokens that came after a text was begun do not count, in any figure") {
  std::mt19937 random(7);
  const Text text = drawn(random, 60, 4);
  const SequenceRecord record = record_of(text);
  VocabularyCount count;
  count.begin(record, 41);
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < kv_heads; ++kv_head)
      count.add_head(record, LayerId(layer), KvHeadId(kv_head));
  }
  check_equal(count, counted(text, 41));
}

TEST_CASE("one head alone, and several texts") {
  std::mt19937 random(8);
  const Text first = drawn(random, 23, 3);
  const Text second = drawn(random, 37, 3);
  VocabularyCount all;
  VocabularyCount one;
  std::map<std::int32_t, VocabularyItem> expected;
  std::int64_t of_one_head = 0;
  for (const Text& text : {first, second}) {
    const SequenceRecord record = record_of(text);
    all.add(record);
    one.begin(record, record.size());
    one.add_head(record, LayerId(1), KvHeadId(2));
    for (const TokenFrame& frame : record.frames()) of_one_head += frame.entries[1 * kv_heads + 2];
    for (const auto& [token, item] : counted(text, text.tokens.size())) {
      VocabularyItem& sum = expected[token];
      sum.token = token;
      sum.occurrences += item.occurrences;
      for (std::size_t role = 0; role < sum.role_cells.size(); ++role) {
        sum.role_cells[role] += item.role_cells[role];
        sum.role_steps[role] += item.role_steps[role];
      }
      sum.held_cells += item.held_cells;
      sum.life_tokens += item.life_tokens;
      sum.loss += item.loss;
      sum.predicted += item.predicted;
    }
  }
  check_equal(all, expected);
  CHECK(one.held_steps() == of_one_head);
  for (const VocabularyItem& item : one.items()) CHECK(item.cells() == item.occurrences);
}

TEST_CASE("a token reads as it does with its blank, and those that took most of the cache come first") {
  SequenceRecord record({1, 1, 8, kernels::ElementType::f32}, false, 2);
  const std::vector<std::pair<std::string, Role>> tokens{
      {"the", Role::sliding}, {" cat", Role::global}, {" the", Role::sliding}, {"", Role::sliding}};
  for (std::size_t n = 0; n < tokens.size(); ++n) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(n));
    frame.token = std::array{3, 9, 3, 4}[n];
    frame.text = tokens[n].first;
    frame.roles = {tokens[n].second};
    frame.entries = {static_cast<std::int32_t>(n + 1)};
    if (n == 2) frame.entries = {2};
    if (n == 3) frame.entries = {3};
    REQUIRE(record.append(frame));
  }
  VocabularyCount count;
  count.add(record);
  const auto ranked = count.ranked();
  REQUIRE(ranked.size() == 3);
  CHECK(ranked[0].token == 3);  // twice, for two steps each: 2 + 2
  CHECK(ranked[0].text == " the");
  CHECK(ranked[0].held_steps() == 4);
  CHECK(ranked[1].token == 9);
  CHECK(ranked[1].held_steps() == 3);
  CHECK(ranked[2].text.empty());
}

TEST_CASE("a byte that completes now one character and now another has no text of its own") {
  SequenceRecord record({1, 1, 4, kernels::ElementType::f32}, false, std::nullopt);
  const std::array<std::pair<std::int32_t, const char*>, 7> tokens{
      {{5, ""}, {7, "开"}, {5, ""}, {7, "—"}, {8, ""}, {8, "é"}, {9, " a"}}};
  for (std::size_t n = 0; n < tokens.size(); ++n) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(n));
    frame.token = tokens[n].first;
    frame.text = tokens[n].second;
    frame.roles = {Role::global};
    frame.entries = {static_cast<std::int32_t>(n + 1)};
    REQUIRE(record.append(frame));
  }
  VocabularyCount count;
  count.add(record);
  for (const VocabularyItem& item : count.ranked()) CHECK(item.text == (item.token == 9 ? " a" : ""));
}

TEST_CASE("shares and means, and nothing of nothing") {
  VocabularyItem item;
  CHECK(item.role_share(Role::global) == 0);
  CHECK(item.mean_life() == 0);
  CHECK_FALSE(item.mean_loss());
  item = {5, "a", 4, {2, 1, 5}, 3, 40, {10, 2, 4}, 3.0, 2};
  CHECK(item.cells() == 8);
  CHECK(item.role_share(Role::sliding) == doctest::Approx(0.625));
  CHECK(item.held_share() == doctest::Approx(0.375));
  CHECK(item.mean_life() == doctest::Approx(5));
  CHECK(item.held_steps() == 16);
  CHECK(*item.mean_loss() == doctest::Approx(1.5));
  VocabularyCount none;
  none.add(SequenceRecord({layers, kv_heads, 8, kernels::ElementType::f32}, false, 3));
  none.add(SequenceRecord());
  CHECK(none.items().empty());
  CHECK(none.held_steps() == 0);
}

}  // namespace
}  // namespace natscope
