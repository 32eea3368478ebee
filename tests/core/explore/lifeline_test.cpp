// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/lifeline.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

/// One layer, two KV heads: the second one is all global.
SequenceRecord recorded(const std::string& roles, std::int64_t window) {
  SequenceRecord record({1, 2, 8, kernels::ElementType::f32}, false, window);
  for (std::size_t n = 0; n < roles.size(); ++n) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(n));
    frame.roles = {roles[n] == 'G' ? Role::global : roles[n] == 'L' ? Role::local : Role::sliding, Role::global};
    frame.entries = {1, 1};
    if (!record.append(frame)) FAIL("append");
  }
  return record;
}

Lifeline line_of(const SequenceRecord& record, std::int32_t position) {
  return *lifeline_of(record, LayerId(0), KvHeadId(0), TokenPos(position));
}

TEST_CASE("every fate, with the step after which the entry was gone") {
  const SequenceRecord record = recorded("GLSLGLSS", 2);
  CHECK(line_of(record, 0).fate == EntryFate::held);
  CHECK_FALSE(line_of(record, 0).dropped_after);
  const Lifeline local = line_of(record, 1);
  CHECK(local.fate == EntryFate::ended_by_global);
  CHECK(local.ended_by == TokenPos(4));
  CHECK(local.dropped_after == TokenPos(4));
  CHECK(describe(local) == "local, dropped after 4, which became global and ended it");
  const Lifeline sliding = line_of(record, 2);
  CHECK(sliding.fate == EntryFate::left_window);
  CHECK(sliding.dropped_after == TokenPos(4));
  CHECK(line_of(record, 5).fate == EntryFate::held);
  CHECK(line_of(record, 6).fate == EntryFate::held);
  CHECK(line_of(recorded("GS", 0), 1).fate == EntryFate::left_window);
  CHECK(describe(line_of(record, 7)) == "sliding, still held");
  CHECK(held_share(record, TokenPos(1)) == 0.5);
  CHECK(held_share(record, TokenPos(0)) == 1);
}

TEST_CASE("an eviction by the policy is told apart") {
  SequenceRecord record = recorded("GGG", 0);
  TokenFrame frame;
  frame.position = TokenPos(3);
  frame.roles.assign(2, Role::global);
  frame.entries.assign(2, 1);
  frame.evicted = {{LayerId(0), KvHeadId(0), TokenPos(1)}};
  REQUIRE(record.append(frame));
  CHECK(line_of(record, 1).fate == EntryFate::evicted_by_policy);
  CHECK(line_of(record, 1).dropped_after == TokenPos(3));
}

TEST_CASE("what is not there is named") {
  const SequenceRecord record = recorded("GL", 2);
  const auto code = [&](int layer, int head, int position) {
    return lifeline_of(record, LayerId(layer), KvHeadId(head), TokenPos(position)).error().code;
  };
  CHECK(code(1, 0, 0) == ErrorCode::bad_layer);
  CHECK(code(0, 2, 0) == ErrorCode::bad_head);
  CHECK(code(0, 0, 2) == ErrorCode::bad_position);
  CHECK(code(0, 0, -1) == ErrorCode::bad_position);
}

}  // namespace
}  // namespace natscope
