// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/sequence_record.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace natscope {
namespace {

const CacheGeometry geometry{2, 2, 8, kernels::ElementType::f32};

TokenFrame frame_at(std::int32_t position, std::vector<Role> roles) {
  TokenFrame frame;
  frame.position = TokenPos(position);
  frame.roles = std::move(roles);
  frame.entries.assign(4, 1);
  return frame;
}

TEST_CASE("next global and last query equal the definitions at every step") {
  std::mt19937 random(4);
  for (const std::int64_t window : {0, 3, 50}) {
    SequenceRecord record(geometry, false, window);
    for (std::int32_t t = 0; t < 60; ++t) {
      std::vector<Role> roles;
      for (int head = 0; head < 4; ++head) roles.push_back(static_cast<Role>(random() % 3));
      REQUIRE(record.append(frame_at(t, roles)));
      for (std::int32_t head = 0; head < 4; ++head) {
        const LayerId layer(head / 2);
        const KvHeadId kv_head(head % 2);
        const auto of_head = record.roles(layer, kv_head);
        std::vector<std::int32_t> next(of_head.size());
        REQUIRE(kernels::next_globals(of_head, next).ok());
        CHECK(std::ranges::equal(record.next_global(layer, kv_head), next));
        for (std::int32_t n = 0; n <= t; ++n) {
          const auto at = static_cast<std::size_t>(n);
          const std::int32_t last = record.last_query(layer, kv_head)[at];
          for (std::int32_t m = n + 1; m <= t; ++m)
            CHECK((m <= last) == visible(of_head[at], TokenPos(n), TokenPos(m), next[at], window));
        }
      }
    }
  }
}

TEST_CASE("frames that come together leave what they leave one by one, and one that does not fit keeps all out") {
  std::mt19937 random(9);
  std::vector<TokenFrame> frames;
  for (std::int32_t t = 0; t < 200; ++t) {
    std::vector<Role> roles;
    for (int head = 0; head < 4; ++head) roles.push_back(static_cast<Role>(random() % 5 == 0 ? 0 : 1 + random() % 2));
    frames.push_back(frame_at(t, roles));
    if (t % 7 == 6)
      frames.back().evicted = {
          {LayerId(1), KvHeadId(1), TokenPos(static_cast<std::int32_t>(random() % 200) % (t + 1))}};
  }
  SequenceRecord truth(geometry, false, 5);
  for (const TokenFrame& frame : frames) REQUIRE(truth.append(frame));
  SequenceRecord record(geometry, false, 5);
  std::vector<TokenFrame> bad(frames.begin(), frames.begin() + 90);
  bad[80].entries.pop_back();
  CHECK_FALSE(record.append(bad));
  CHECK(record.size() == 0);
  CHECK(record.roles(LayerId(0), KvHeadId(0)).empty());
  REQUIRE(record.append(std::span(frames).first(130)));
  REQUIRE(record.append(std::span(frames).subspan(130)));
  REQUIRE(record.append(std::span<TokenFrame>()));
  REQUIRE(record.size() == truth.size());
  for (std::int32_t head = 0; head < 4; ++head) {
    const LayerId layer(head / 2);
    const KvHeadId kv_head(head % 2);
    CHECK(std::ranges::equal(record.roles(layer, kv_head), truth.roles(layer, kv_head)));
    CHECK(std::ranges::equal(record.next_global(layer, kv_head), truth.next_global(layer, kv_head)));
    CHECK(std::ranges::equal(record.last_query(layer, kv_head), truth.last_query(layer, kv_head)));
  }
  for (std::int32_t t = 0; t < 200; ++t) {
    CHECK(record.frame(TokenPos(t)).roles == truth.frame(TokenPos(t)).roles);
    CHECK(record.frame(TokenPos(t)).evicted == truth.frame(TokenPos(t)).evicted);
  }
}

/// A head's tally, counted anew from what the record says of each token.
HeadTally recounted(const SequenceRecord& record, LayerId layer, KvHeadId kv_head) {
  HeadTally tally;
  const auto roles = record.roles(layer, kv_head);
  const auto last = record.last_query(layer, kv_head);
  for (std::size_t n = 0; n < roles.size(); ++n) {
    ++tally.role_tokens[static_cast<std::size_t>(roles[n])];
    if (roles[n] != Role::local) continue;
    if (last[n] == no_next_global) {
      ++tally.open_locals;
      tally.open_local_positions += static_cast<std::int64_t>(n);
    } else {
      tally.ended_local_life += last[n] - static_cast<std::int64_t>(n);
    }
  }
  return tally;
}

TEST_CASE("each head's tally is what its tokens say, whatever came together and whatever was evicted") {
  std::mt19937 random(20261128);
  for (const std::size_t at_once : {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{97}}) {
    CAPTURE(at_once);
    SequenceRecord record(geometry, false, 5);
    for (std::int32_t t = 0; t < 300;) {
      std::vector<TokenFrame> frames;
      for (std::size_t n = 0; n < at_once; ++n, ++t) {
        std::vector<Role> roles;
        for (int head = 0; head < 4; ++head)
          roles.push_back(static_cast<Role>(random() % 9 == 0 ? 0 : 1 + random() % 2));
        frames.push_back(frame_at(t, roles));
        if (random() % 4 == 0) {
          const auto position = TokenPos(static_cast<std::int32_t>(random() % static_cast<std::uint32_t>(t + 1)));
          frames.back().evicted = {{LayerId(0), KvHeadId(1), position}, {LayerId(1), KvHeadId(1), position}};
        }
      }
      REQUIRE(record.append(frames));
      for (std::int32_t head = 0; head < 4; ++head) {
        const LayerId layer(head / 2);
        const KvHeadId kv_head(head % 2);
        CHECK(record.tally(layer, kv_head) == recounted(record, layer, kv_head));
      }
    }
  }
}

TEST_CASE("copies share their tokens until one is changed, and then neither sees the other's") {
  SequenceRecord record(geometry, false, 4);
  for (std::int32_t t = 0; t < 5; ++t) REQUIRE(record.append(frame_at(t, std::vector<Role>(4, Role::local))));
  const SequenceRecord kept = record;
  CHECK(kept.shares_with(record));
  CHECK(kept.frames().data() == record.frames().data());
  CHECK_FALSE(record.append(frame_at(9, std::vector<Role>(4))));
  CHECK(record.append(std::span<TokenFrame>()));
  CHECK(kept.shares_with(record));

  REQUIRE(record.append(frame_at(5, std::vector<Role>(4, Role::global))));
  CHECK_FALSE(kept.shares_with(record));
  CHECK(kept.size() == 5);
  CHECK(record.size() == 6);
  CHECK(kept.last_query(LayerId(0), KvHeadId(0))[2] == no_next_global);
  CHECK(record.last_query(LayerId(0), KvHeadId(0))[2] == 5);
  CHECK(kept.tally(LayerId(1), KvHeadId(1)).open_locals == 5);
  const void* const place = record.frames().data();
  record.finish_prompt(TokenPos(0), 77, 1);
  CHECK(record.frames().data() == place);  // nobody else has them: nothing is copied

  SequenceRecord third = kept;
  third.finish_prompt(TokenPos(0), 77, 1);
  CHECK(kept.frame(TokenPos(0)).counts.allocated_bytes == 0);
  third = kept;
  third.clear();
  CHECK(third.size() == 0);
  CHECK(kept.size() == 5);
  const SequenceRecord moved = std::move(third);
  CHECK(moved.size() == 0);
}

TEST_CASE("what H2O dropped ends there, whatever the role says") {
  SequenceRecord record(geometry, false, {});
  for (std::int32_t t = 0; t < 5; ++t) {
    TokenFrame frame = frame_at(t, std::vector<Role>(4, Role::global));
    if (t == 3) frame.evicted = {{LayerId(1), KvHeadId(0), TokenPos(1)}};
    REQUIRE(record.append(frame));
  }
  CHECK(record.last_query(LayerId(1), KvHeadId(0))[1] == 3);
  CHECK(record.last_query(LayerId(1), KvHeadId(0))[2] == no_next_global);
  CHECK(record.last_query(LayerId(0), KvHeadId(0))[1] == no_next_global);
}

TEST_CASE("frames that do not fit are refused, and change nothing") {
  SequenceRecord record(geometry, true, 4);
  TokenFrame good = frame_at(0, std::vector<Role>(4));
  good.scores.assign(12, 0.0F);
  const auto refused = [&](auto change) {
    TokenFrame frame = good;
    change(frame);
    const auto appended = record.append(frame);
    return !appended && appended.error().code == ErrorCode::bad_session && record.size() == 0;
  };
  CHECK(refused([](TokenFrame& f) { f.position = TokenPos(1); }));
  CHECK(refused([](TokenFrame& f) { f.position = TokenPos(-1); }));
  CHECK(refused([](TokenFrame& f) { f.roles.pop_back(); }));
  CHECK(refused([](TokenFrame& f) { f.roles[2] = static_cast<Role>(3); }));
  CHECK(refused([](TokenFrame& f) { f.scores.pop_back(); }));
  CHECK(refused([](TokenFrame& f) { f.entries.push_back(0); }));
  CHECK(refused([](TokenFrame& f) { f.evicted = {{LayerId(2), KvHeadId(0), TokenPos(0)}}; }));
  CHECK(refused([](TokenFrame& f) { f.evicted = {{LayerId(0), KvHeadId(-1), TokenPos(0)}}; }));
  CHECK(refused([](TokenFrame& f) { f.evicted = {{LayerId(0), KvHeadId(0), TokenPos(1)}}; }));
  CHECK(record.append(good));
  record.clear();
  CHECK(record.size() == 0);
  CHECK(record.roles(LayerId(0), KvHeadId(0)).empty());
}

}  // namespace
}  // namespace natscope
