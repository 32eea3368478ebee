// SPDX-License-Identifier: GPL-3.0-or-later
// A step as the engine runs it on a GPU: recorded once, launched for every token.
#include <doctest/doctest.h>

#include <algorithm>

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cuda/attention_decode.h"
#include "tests/kernels/sequence_backend.h"
#include "tests/support/case_turns.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

namespace {

/// What a recorded step reads and writes, in device memory that stays where it is.
struct StepBuffers {
  explicit StepBuffers(const AttentionCase& c, std::int64_t scratch_size) : scratch_bytes(scratch_size) {
    REQUIRE(queries.allocate(4 * c.heads * c.head_dim).ok());
    REQUIRE(keys.allocate(4 * c.kv_heads * c.head_dim).ok());
    REQUIRE(values.allocate(4 * c.kv_heads * c.head_dim).ok());
    REQUIRE(roles.allocate(c.kv_heads).ok());
    REQUIRE(out.allocate(4 * c.heads * c.head_dim).ok());
    REQUIRE(lse.allocate(4 * c.heads).ok());
    REQUIRE(self_scores.allocate(4 * c.kv_heads).ok());
    REQUIRE(prescribed.allocate(4 * c.kv_heads).ok());
    REQUIRE(cuda::fill_bytes(prescribed.data(), 0xff, 4 * c.kv_heads, nullptr).ok());  // no_drop
    REQUIRE(cuda::synchronize(nullptr).ok());
    REQUIRE(dropped.allocate(4 * c.kv_heads).ok());
    REQUIRE(held.allocate(4 * c.kv_heads).ok());
    REQUIRE(scratch.allocate(scratch_bytes).ok());
  }

  void bring(const AttentionCase& c, std::int64_t token, cuda::Stream stream) {
    const auto gather = [&](const std::vector<float>& from, std::int64_t heads, const cuda::DeviceMemory& to) {
      for (std::int64_t head = 0; head < heads; ++head) {
        REQUIRE(cuda::copy_to_device(to.as<float>() + head * c.head_dim,
                                     from.data() + (head * c.tokens + token) * c.head_dim, 4 * c.head_dim, stream)
                    .ok());
      }
    };
    gather(c.queries, c.heads, queries);
    gather(c.keys, c.kv_heads, keys);
    gather(c.values, c.kv_heads, values);
    for (std::int64_t head = 0; head < c.kv_heads; ++head) {
      REQUIRE(cuda::copy_to_device(roles.as<Role>() + head, c.roles.data() + head * c.tokens + token, 1, stream).ok());
    }
  }

  Status step(const AttentionCase& c, cuda::DeviceKvCache& cache, cuda::Stream stream) const {
    const auto rows = [&](const cuda::DeviceMemory& memory, std::int64_t heads) {
      return View<float, 2>::packed(memory.as<float>(), {heads, c.head_dim});
    };
    const auto tokens = [&](const cuda::DeviceMemory& memory) {
      return ConstView<float, 3>::packed(memory.as<float>(), {c.kv_heads, 1, c.head_dim});
    };
    const bool drops = cache.keeps_scores();
    const std::span scores(self_scores.as<float>(), drops ? static_cast<std::size_t>(c.kv_heads) : 0);
    if (const Status status = cuda::attention_decode(rows(queries, c.heads), rows(keys, c.kv_heads),
                                                     rows(values, c.kv_heads), cache, LayerId(0), rows(out, c.heads),
                                                     std::span(lse.as<float>(), static_cast<std::size_t>(c.heads)),
                                                     scores, scratch.data(), scratch_bytes, stream);
        !status.ok()) {
      return status;
    }
    if (const Status status = cache.append(LayerId(0), ConstView<Role, 2>::packed(roles.as<Role>(), {c.kv_heads, 1}),
                                           tokens(keys), tokens(values), stream);
        !status.ok()) {
      return status;
    }
    const std::array<std::int64_t, 2> sizes{1, c.kv_heads};
    const TokenDrops call{.layer = 0,
                          .self_scores = ConstView<float, 2>::packed(self_scores.as<float>(), sizes),
                          .prescribed = ConstView<std::int32_t, 2>::packed(prescribed.as<std::int32_t>(), sizes),
                          .dropped = View<std::int32_t, 2>::packed(dropped.as<std::int32_t>(), sizes),
                          .held = View<std::int32_t, 2>::packed(held.as<std::int32_t>(), sizes)};
    if (drops) {
      if (const Status status = cache.keep_by_scores(call, stream); !status.ok()) return status;
    }
    return cache.finish_step(stream);
  }

  cuda::DeviceMemory queries, keys, values, roles, out, lse, scratch;
  cuda::DeviceMemory self_scores, prescribed, dropped, held;
  std::int64_t scratch_bytes;
};

/// Every token by the same recording: its output has the bits of `expected`, and what goes is `dropped` [kv_heads, T]
/// (empty: without H2O).
void check_recorded(const AttentionCase& c, const ScoreRule* rule, const AttentionResult<float>& expected,
                    const std::vector<std::int32_t>& dropped) {
  cuda::OwnedStream stream;
  REQUIRE(stream.create().ok());
  std::unique_ptr<cuda::DeviceKvCache> cache;
  REQUIRE(cuda::DeviceKvCache::create(
              {1, static_cast<std::int32_t>(c.kv_heads), static_cast<std::int32_t>(c.head_dim), c.dtype, 32}, c.tokens,
              nullptr, cache)
              .ok());
  REQUIRE(cache->reset(c.window, rule, stream.get()).ok());
  REQUIRE(cache->reserve(1, 1, stream.get()).ok());
  StepBuffers buffers(c, cuda::attention_decode_scratch_bytes(c.heads, *cache));
  cuda::Graph graph;
  REQUIRE(graph.begin(stream.get()).ok());
  REQUIRE(buffers.step(c, *cache, stream.get()).ok());
  REQUIRE(graph.end(stream.get()).ok());

  std::int64_t different = 0;
  std::vector<float> out(static_cast<std::size_t>(c.heads * c.head_dim));
  std::vector<std::int32_t> gone(static_cast<std::size_t>(c.kv_heads));
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    REQUIRE(cache->reserve(1, 1, stream.get()).ok());
    buffers.bring(c, t, stream.get());
    REQUIRE(graph.launch(stream.get()).ok());
    REQUIRE(cuda::copy_to_host(out.data(), buffers.out.data(), 4 * c.heads * c.head_dim, stream.get()).ok());
    if (rule != nullptr)
      REQUIRE(cuda::copy_to_host(gone.data(), buffers.dropped.data(), 4 * c.kv_heads, stream.get()).ok());
    REQUIRE(cuda::synchronize(stream.get()).ok());
    for (std::int64_t head = 0; head < c.heads; ++head) {
      different += std::memcmp(out.data() + head * c.head_dim, expected.out.data() + (head * c.tokens + t) * c.head_dim,
                               static_cast<std::size_t>(4 * c.head_dim)) == 0
                       ? 0
                       : 1;
    }
    for (std::int64_t head = 0; rule != nullptr && head < c.kv_heads; ++head) {
      different +=
          gone[static_cast<std::size_t>(head)] == dropped[static_cast<std::size_t>(head * c.tokens + t)] ? 0 : 1;
    }
  }
  CHECK(different == 0);
  CHECK(cache->failure().ok());
  CHECK(cache->next_position() == TokenPos(static_cast<std::int32_t>(c.tokens)));
}

}  // namespace

TEST_CASE("a step recorded once gives the bits of single calls while the cache grows") {
  RandomArrays random(71);
  INFO(random.how_to_repeat());
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    AttentionCase c{8, 2, 64, CaseTurns().length(700, 180, 90), 40, dtype, {}, {}, {}, {}};
    c.fill(random, {3, 1, 1});
    check_recorded(c, nullptr, sequence_backends()[0].decode(c, 32), {});
  }
}

TEST_CASE("a step recorded once under H2O or TOVA makes the choices of single calls") {
  RandomArrays random(72);
  INFO(random.how_to_repeat());
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    struct Of {
      std::int64_t tokens, heavy, recent;
      EntryScores scores;
    };
    for (const Of& of : {Of{CaseTurns().length(500, 360, 120), 300, 20, EntryScores::of_all_queries},
                         Of{CaseTurns().length(180, 120, 90), 60, 0, EntryScores::of_last_query}}) {
      AttentionCase c{8, 2, 64, of.tokens, 0, dtype, {}, {}, {}, {}};
      c.fill(random, {1, 0, 0});
      const ScoreRule rule{std::min(of.heavy, c.tokens / 2), of.recent, of.scores};
      const ScoreRuleRun single = sequence_backends()[0].score_rule(c, rule, 32);
      check_recorded(c, &rule, single.attention, single.dropped);
    }
  }
}
