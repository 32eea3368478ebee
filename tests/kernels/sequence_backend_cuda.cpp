// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/sequence_backend.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_prefill.h"
#include "tests/kernels/device_call.h"
#include "tests/kernels/score_rule_run.h"
#include "tests/kernels/tested_cache.h"

namespace natscope::test {

namespace {

using namespace kernels;

std::unique_ptr<cuda::DeviceKvCache> cache_of(const KvCacheShape& shape, std::int64_t max_tokens, std::int64_t window,
                                              const ScoreRule* rule = nullptr) {
  std::unique_ptr<cuda::DeviceKvCache> cache;
  REQUIRE(cuda::DeviceKvCache::create(shape, max_tokens, nullptr, cache).ok());
  REQUIRE(cache->reset(window, rule, nullptr).ok());
  return cache;
}

KvCacheShape shape_of(const AttentionCase& c, std::int32_t page_entries) {
  return {1, static_cast<std::int32_t>(c.kv_heads), static_cast<std::int32_t>(c.head_dim), c.dtype, page_entries};
}

/// Rows first … first + count - 1 of all heads, where they stand in the whole sequence.
template <class T>
View<T, 3> rows_of(const AttentionCase& c, T* data, std::int64_t heads, std::int64_t first, std::int64_t count) {
  return {data + first * c.head_dim, {heads, count, c.head_dim}, {c.tokens * c.head_dim, c.head_dim, 1}};
}
template <class T>
View<T, 2> row_of(const AttentionCase& c, T* data, std::int64_t heads, std::int64_t token) {
  return {data + token * c.head_dim, {heads, c.head_dim}, {c.tokens * c.head_dim, 1}};
}

AttentionResult<float> unwritten(const AttentionCase& c) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  AttentionResult<float> result;
  result.out.assign(static_cast<std::size_t>(c.heads * c.tokens * c.head_dim), nan);
  result.lse.assign(static_cast<std::size_t>(c.heads * c.tokens), nan);
  return result;
}

/// The whole sequence in steps of `chunk`, attention by `attend(call, cache, first, rows, result)`.
template <class Attend>
AttentionResult<float> run(const AttentionCase& c, std::int64_t chunk, std::int32_t page_entries,
                           const Attend& attend) {
  AttentionResult<float> result = unwritten(c);
  if (c.tokens == 0) return result;
  const auto cache = cache_of(shape_of(c, page_entries), c.tokens, c.window);
  for (std::int64_t first = 0; first < c.tokens; first += chunk) {
    const std::int64_t rows = std::min(chunk, c.tokens - first);
    DeviceCall call;
    REQUIRE(cache->reserve(rows, 1, nullptr).ok());
    REQUIRE(attend(call, *cache, first, rows, result).ok());
    const ConstView<Role, 2> roles{c.roles.data() + first, {c.kv_heads, rows}, {c.tokens, 1}};
    REQUIRE(cache
                ->append(LayerId(0), call.in(roles), call.in(rows_of(c, c.keys.data(), c.kv_heads, first, rows)),
                         call.in(rows_of(c, c.values.data(), c.kv_heads, first, rows)), nullptr)
                .ok());
    REQUIRE(cache->finish_step(nullptr).ok());
    const Status status = call.finish();
    INFO(status.detail);
    REQUIRE(status.ok());
    REQUIRE(cache->failure().ok());
    call.write_outputs();
  }
  return result;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Both runs have to give equal bits.
template <class Run>
AttentionResult<float> run_twice(const Run& once) {
  const AttentionResult<float> first = once();
  const AttentionResult<float> second = once();
  CHECK(same_bits(first.out, second.out));
  CHECK(same_bits(first.lse, second.lse));
  return first;
}

AttentionResult<float> decode_all(const AttentionCase& c, std::int32_t page_entries) {
  // Here lse is [T, heads], as a decode leaves it token by token.
  const auto attend = [&](DeviceCall& call, const cuda::DeviceKvCache& cache, std::int64_t t, std::int64_t,
                          AttentionResult<float>& result) {
    const std::int64_t bytes = cuda::attention_decode_scratch_bytes(c.heads, cache);
    const auto lse =
        std::span(result.lse).subspan(static_cast<std::size_t>(t * c.heads), static_cast<std::size_t>(c.heads));
    return cuda::attention_decode(
        call.in(row_of(c, c.queries.data(), c.heads, t)), call.in(row_of(c, c.keys.data(), c.kv_heads, t)),
        call.in(row_of(c, c.values.data(), c.kv_heads, t)), cache, LayerId(0),
        call.out(row_of(c, result.out.data(), c.heads, t)), call.out(lse), {}, call.scratch(bytes), bytes, nullptr);
  };
  AttentionResult<float> result = run_twice([&] { return run(c, 1, page_entries, attend); });
  const std::vector<float> by_token = result.lse;
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    for (std::int64_t head = 0; head < c.heads; ++head) {
      result.lse[static_cast<std::size_t>(head * c.tokens + t)] =
          by_token[static_cast<std::size_t>(t * c.heads + head)];
    }
  }
  return result;
}

AttentionResult<float> prefill_all(const AttentionCase& c, std::int64_t chunk, std::int32_t page_entries) {
  const auto attend = [&](DeviceCall& call, const cuda::DeviceKvCache& cache, std::int64_t first, std::int64_t rows,
                          AttentionResult<float>& result) {
    const std::int64_t bytes = cuda::attention_prefill_scratch_bytes(c.heads, rows, cache);
    const ConstView<Role, 2> roles{c.roles.data() + first, {c.kv_heads, rows}, {c.tokens, 1}};
    const View<float, 2> lse{result.lse.data() + first, {c.heads, rows}, {c.tokens, 1}};
    return cuda::attention_prefill(call.in(rows_of(c, c.queries.data(), c.heads, first, rows)),
                                   call.in(rows_of(c, c.keys.data(), c.kv_heads, first, rows)),
                                   call.in(rows_of(c, c.values.data(), c.kv_heads, first, rows)), call.in(roles), cache,
                                   LayerId(0), TokenPos(static_cast<std::int32_t>(first)),
                                   call.out(rows_of(c, result.out.data(), c.heads, first, rows)), call.out(lse),
                                   call.scratch(bytes), bytes, nullptr);
  };
  return run_twice([&] { return run(c, chunk, page_entries, attend); });
}

class CacheOnDevice : public TestedCache {
 public:
  CacheOnDevice(const KvCacheShape& shape, std::int64_t max_tokens, std::int64_t window, const ScoreRule* rule)
      : cache_(cache_of(shape, max_tokens, window, rule)) {}

  Status reserve(std::int64_t tokens, std::int64_t layers) override { return cache_->reserve(tokens, layers, nullptr); }
  Status append(const AppendedStep& step) override {
    const KvCacheShape& shape = cache_->shape();
    const std::array<std::int64_t, 3> sizes{shape.kv_heads, step.count, shape.head_dim};
    DeviceCall call;
    const Status status =
        cache_->append(step.layer, call.in(ConstView<Role, 2>::packed(step.roles.data(), {sizes[0], step.count})),
                       call.in(ConstView<float, 3>::packed(step.keys.data(), sizes)),
                       call.in(ConstView<float, 3>::packed(step.values.data(), sizes)), nullptr);
    return status.ok() ? call.finish() : status;
  }
  Status append_token(const std::vector<AppendedStep>& layers) override {
    const KvCacheShape& shape = cache_->shape();
    AppendedStep all;
    for (const AppendedStep& step : layers) {
      all.roles.insert(all.roles.end(), step.roles.begin(), step.roles.end());
      all.keys.insert(all.keys.end(), step.keys.begin(), step.keys.end());
      all.values.insert(all.values.end(), step.values.begin(), step.values.end());
    }
    const std::array<std::int64_t, 3> sizes{static_cast<std::int64_t>(layers.size()), shape.kv_heads, shape.head_dim};
    DeviceCall call;
    const Status status =
        cache_->append_token(call.in(ConstView<Role, 2>::packed(all.roles.data(), {sizes[0], sizes[1]})),
                             call.in(ConstView<float, 3>::packed(all.keys.data(), sizes)),
                             call.in(ConstView<float, 3>::packed(all.values.data(), sizes)), nullptr);
    return status.ok() ? call.finish() : status;
  }
  Status keep_by_scores(DropStep& step) override {
    const std::int64_t kv_heads = cache_->shape().kv_heads;
    const std::array<std::int64_t, 2> sizes{static_cast<std::int64_t>(step.self_scores.size()) / kv_heads, kv_heads};
    step.dropped.assign(step.self_scores.size(), -7);
    step.held = step.dropped;
    DeviceCall call;
    const Status status = cache_->keep_by_scores(
        {.layer = step.layer.value,
         .self_scores = call.in(ConstView<float, 2>::packed(step.self_scores.data(), sizes)),
         .prescribed = call.in(ConstView<std::int32_t, 2>::packed(step.prescribed.data(), sizes)),
         .dropped = call.out(View<std::int32_t, 2>::packed(step.dropped.data(), sizes)),
         .held = call.out(View<std::int32_t, 2>::packed(step.held.data(), sizes))},
        nullptr);
    if (!status.ok()) return status;
    if (const Status ended = call.finish(); !ended.ok()) return ended;
    call.write_outputs();
    return {};
  }
  Status drop_entries(const EntryStep& step) override {
    const std::int64_t kv_heads = cache_->shape().kv_heads;
    const std::array<std::int64_t, 2> heads{static_cast<std::int64_t>(step.kept.size()) / kv_heads, kv_heads};
    const std::array<std::int64_t, 3> rows{heads[0], heads[1], step.most};
    DeviceCall call;
    const Status status =
        cache_->drop_entries({.layer = step.layer.value,
                              .kept = call.in(ConstView<std::int32_t, 2>::packed(step.kept.data(), heads)),
                              .moves = call.in(ConstView<std::int32_t, 2>::packed(step.moves.data(), heads)),
                              .from = call.in(ConstView<std::int32_t, 3>::packed(step.from.data(), rows)),
                              .to = call.in(ConstView<std::int32_t, 3>::packed(step.to.data(), rows))},
                             nullptr);
    return status.ok() ? call.finish() : status;
  }
  Status finish_step() override {
    if (const Status status = cache_->finish_step(nullptr); !status.ok()) return status;
    if (const Status status = cuda::synchronize(nullptr); !status.ok()) return status;
    return cache_->failure();
  }
  cuda::HeadEntries read(LayerId layer, KvHeadId kv_head) override {
    cuda::HeadEntries entries;
    REQUIRE(cache_->read_head(layer, kv_head, entries, nullptr).ok());
    return entries;
  }
  std::array<std::int64_t, role_count> entries_by_role(LayerId layer, KvHeadId kv_head) override {
    return cache_->entries_by_role(layer, kv_head);
  }
  PageCounts pages() override {
    const std::int64_t page_bytes = cache_->arena().page_bytes;
    return {cache_->page_bytes() / page_bytes, cache_->allocated_bytes() / page_bytes};
  }
  [[nodiscard]] cuda::DeviceKvCache& cache() { return *cache_; }

 private:
  std::unique_ptr<cuda::DeviceKvCache> cache_;
};

/// As decode_all, with H2O's rule after every token.
ScoreRuleRun score_rule_once(const AttentionCase& c, const ScoreRule& rule, std::int32_t page_entries) {
  ScoreRuleRun run = unwritten_run(c);
  CacheOnDevice cache(shape_of(c, page_entries), c.tokens, c.window, &rule);
  const std::int64_t bytes = cuda::attention_decode_scratch_bytes(c.heads, cache.cache());
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    REQUIRE(cache.reserve(1, 1).ok());
    std::vector<float> lse(static_cast<std::size_t>(c.heads), std::numeric_limits<float>::quiet_NaN());
    DropStep step{LayerId(0), std::vector<float>(static_cast<std::size_t>(c.kv_heads)), {}, {}, {}};
    DeviceCall call;
    REQUIRE(cuda::attention_decode(call.in(row_of(c, c.queries.data(), c.heads, t)),
                                   call.in(row_of(c, c.keys.data(), c.kv_heads, t)),
                                   call.in(row_of(c, c.values.data(), c.kv_heads, t)), cache.cache(), LayerId(0),
                                   call.out(row_of(c, run.attention.out.data(), c.heads, t)), call.out(std::span(lse)),
                                   call.out(std::span(step.self_scores)), call.scratch(bytes), bytes, nullptr)
                .ok());
    const ConstView<Role, 2> roles{c.roles.data() + t, {c.kv_heads, 1}, {c.tokens, 1}};
    REQUIRE(cache.cache()
                .append(LayerId(0), call.in(roles), call.in(rows_of(c, c.keys.data(), c.kv_heads, t, 1)),
                        call.in(rows_of(c, c.values.data(), c.kv_heads, t, 1)), nullptr)
                .ok());
    const Status status = call.finish();
    INFO(status.detail);
    REQUIRE(status.ok());
    call.write_outputs();
    for (std::int64_t head = 0; head < c.heads; ++head)
      run.attention.lse[static_cast<std::size_t>(head * c.tokens + t)] = lse[static_cast<std::size_t>(head)];
    step.prescribed.assign(step.self_scores.size(), no_drop);
    REQUIRE(cache.keep_by_scores(step).ok());
    REQUIRE(cache.finish_step().ok());
    note_drops(c, t, step, run);
  }
  note_scores(c, cache, run);
  return run;
}

ScoreRuleRun score_rule_all(const AttentionCase& c, const ScoreRule& rule, std::int32_t page_entries) {
  ScoreRuleRun run;
  run_twice([&] {
    const ScoreRuleRun before = std::exchange(run, score_rule_once(c, rule, page_entries));
    if (!before.dropped.empty()) CHECK(before.dropped == run.dropped);
    if (!before.dropped.empty()) CHECK(before.scores == run.scores);
    return run.attention;
  });
  return run;
}

}  // namespace

std::vector<SequenceBackend> sequence_backends() { return {{"cuda", decode_all, prefill_all, score_rule_all, true}}; }

std::vector<CacheBackend> cache_backends() {
  return {{"cuda",
           [](const KvCacheShape& shape, std::int64_t max_tokens, std::int64_t window,
              const ScoreRule* rule) -> std::unique_ptr<TestedCache> {
             return std::make_unique<CacheOnDevice>(shape, max_tokens, window, rule);
           }}};
}

}  // namespace natscope::test
