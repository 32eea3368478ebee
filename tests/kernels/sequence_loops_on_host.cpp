// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/sequence_loops_on_host.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cuda/decode_loops.h"
#include "kernels/cuda/prefill_loops.h"
#include "tests/kernels/cache_on_host.h"
#include "tests/kernels/score_rule_run.h"
#include "tests/kernels/train_blocks_on_host.h"

namespace natscope::test {

namespace {

using kernels::ConstView;
using kernels::View;
namespace cuda = kernels::cuda;

/// Rows of tokens first … first + count - 1 of all KV heads.
std::vector<float> rows_of(const AttentionCase& c, const std::vector<float>& from, std::int64_t heads,
                           std::int64_t first, std::int64_t count) {
  std::vector<float> rows;
  for (std::int64_t head = 0; head < heads; ++head) {
    const auto begin = from.begin() + (head * c.tokens + first) * c.head_dim;
    rows.insert(rows.end(), begin, begin + count * c.head_dim);
  }
  return rows;
}

void append(const AttentionCase& c, CacheOnHost& cache, std::int64_t first, std::int64_t count) {
  AppendedStep step{LayerId(0),
                    count,
                    {},
                    rows_of(c, c.keys, c.kv_heads, first, count),
                    rows_of(c, c.values, c.kv_heads, first, count)};
  for (std::int64_t head = 0; head < c.kv_heads; ++head) {
    const auto begin = c.roles.begin() + head * c.tokens + first;
    step.roles.insert(step.roles.end(), begin, begin + count);
  }
  REQUIRE(cache.reserve(count, 1).ok());
  REQUIRE(cache.append(step).ok());
}

void append_and_finish(const AttentionCase& c, CacheOnHost& cache, std::int64_t first, std::int64_t count) {
  append(c, cache, first, count);
  REQUIRE(cache.finish_step().ok());
}

CacheOnHost cache_of(const AttentionCase& c, std::int32_t page_entries, const kernels::ScoreRule* rule = nullptr) {
  return CacheOnHost(
      {1, static_cast<std::int32_t>(c.kv_heads), static_cast<std::int32_t>(c.head_dim), c.dtype, page_entries},
      std::max<std::int64_t>(c.tokens, 1), c.window, rule);
}

/// A warp in plain arrays. Rows that no query head has are left out.
class HostDecodeWarp {
 public:
  HostDecodeWarp(const AttentionCase& c, std::int64_t token, const CacheOnHost& cache, const cuda::DecodeUnits& units,
                 const cuda::DecodePartials& partials)
      : c_(c), token_(token), cache_(cache), units_(units), partials_(partials), head_(cache.arena(), 0, 0) {}

  [[nodiscard]] static int stages() { return 2; }
  void commit() {}
  void arrive() {}
  void leave() {}

  void start(std::int32_t unit) {
    const std::int64_t group = c_.heads / c_.kv_heads;
    const std::int64_t kv_head = unit / units_.row_tiles;
    const std::int64_t skipped = unit % units_.row_tiles * cuda::decode_rows;
    rows_ = std::min<std::int64_t>(group - skipped, cuda::decode_rows);
    first_head_ = kv_head * group + skipped;
    head_ = cuda::KvHeadPages(cache_.arena(), 0, kv_head);
    sums_.assign(static_cast<std::size_t>(rows_ * c_.head_dim), 0.0F);
    largest_.assign(static_cast<std::size_t>(rows_), -INFINITY);
    total_.assign(static_cast<std::size_t>(rows_), 0.0F);
    scores_.assign(static_cast<std::size_t>(rows_ * units_.tile), std::numeric_limits<float>::quiet_NaN());
  }
  void fetch_queries() {}
  void fetch(std::int32_t tile, int stage) {
    Staged& staged = staged_[static_cast<std::size_t>(stage)];
    staged.keys.assign(static_cast<std::size_t>(units_.tile * c_.head_dim), 0.0F);
    staged.values = staged.keys;
    for (std::int32_t row = 0; row < units_.tile; ++row) {
      const std::int32_t slot = tile * units_.tile + row;
      if (slot >= head_.state->entries()) break;
      for (std::int64_t d = 0; d < c_.head_dim; ++d) {
        staged.keys[at(row, d)] = cache_.stored(head_.key_row(slot), d);
        staged.values[at(row, d)] = cache_.stored(head_.key_row(slot) + head_.value_offset(), d);
      }
    }
  }
  void score(int stage) {
    each_score([&](std::int32_t row, std::int32_t column, float& score) {
      score = 0;
      const float* const query = c_.queries.data() + ((first_head_ + row) * c_.tokens + token_) * c_.head_dim;
      for (std::int64_t d = 0; d < c_.head_dim; ++d)
        score += operand(query[d], c_.dtype) * staged_[static_cast<std::size_t>(stage)].keys[at(column, d)];
    });
  }
  template <class F>
  void each_score(const F& f) {
    for (std::int32_t row = 0; row < rows_; ++row) {
      for (std::int32_t column = 0; column < units_.tile; ++column)
        f(row, column, scores_[static_cast<std::size_t>(row * units_.tile + column)]);
    }
  }
  void soften(float scale_log2) {
    for (std::int32_t row = 0; row < rows_; ++row) {
      float largest = largest_[index(row)];
      for (std::int32_t column = 0; column < units_.tile; ++column)
        largest = std::fmax(largest, scores_[index(row * units_.tile + column)]);
      const float reference = largest == -INFINITY ? 0.0F : largest * scale_log2;
      const float shrink = std::exp2(largest_[index(row)] * scale_log2 - reference);
      largest_[index(row)] = largest;
      total_[index(row)] *= shrink;
      for (std::int64_t d = 0; d < c_.head_dim; ++d) sums_[at(row, d)] *= shrink;
      for (std::int32_t column = 0; column < units_.tile; ++column) {
        float& weight = scores_[index(row * units_.tile + column)];
        weight = std::exp2(weight * scale_log2 - reference);
        total_[index(row)] += weight;
      }
    }
  }
  void add_values(int stage) {
    each_score([&](std::int32_t row, std::int32_t column, float& weight) {
      for (std::int64_t d = 0; d < c_.head_dim; ++d)
        sums_[at(row, d)] += operand(weight, c_.dtype) * staged_[static_cast<std::size_t>(stage)].values[at(column, d)];
    });
  }
  void finish(std::int32_t partial) {
    REQUIRE(partial < units_.partials());
    for (std::int32_t row = 0; row < rows_; ++row) {
      const std::int64_t place = static_cast<std::int64_t>(partial) * partials_.rows + row;
      CHECK(std::isnan(partials_.total[place]));  // nobody else has left anything there
      for (std::int64_t d = 0; d < c_.head_dim; ++d) partials_.sums[place * partials_.dim + d] = sums_[at(row, d)];
      partials_.largest[place] = largest_[index(row)];
      partials_.total[place] = total_[index(row)];
    }
  }

 private:
  struct Staged {
    Numbers keys, values;
  };
  static std::size_t index(std::int64_t number) { return static_cast<std::size_t>(number); }
  [[nodiscard]] std::size_t at(std::int64_t row, std::int64_t d) const { return index(row * c_.head_dim + d); }

  const AttentionCase& c_;
  std::int64_t token_;
  const CacheOnHost& cache_;
  const cuda::DecodeUnits& units_;
  const cuda::DecodePartials& partials_;
  cuda::KvHeadPages head_;
  std::int64_t rows_ = 0;
  std::int64_t first_head_ = 0;
  Numbers sums_, largest_, total_, scores_;
  std::array<Staged, 2> staged_;
};

/// Returns what the token put on itself, [kv_heads], where the cache keeps scores.
std::vector<float> decode_token(const AttentionCase& c, const CacheOnHost& cache, std::int64_t t,
                                AttentionResult<float>& result) {
  const std::int64_t group = c.heads / c.kv_heads;
  const auto row_tiles = static_cast<std::int32_t>((group + cuda::decode_rows - 1) / cuda::decode_rows);
  // Few workers, and not as many as any head count divides by: shares begin and end inside of heads.
  const cuda::DecodeUnits units{cache.arena().heads, static_cast<std::int32_t>(c.kv_heads) * row_tiles, row_tiles,
                                cuda::decode_tile(c.dtype), static_cast<std::int32_t>(1 + t % 7)};
  cuda::DecodePartials partials(units, group, static_cast<std::int32_t>(c.head_dim), nullptr);
  Numbers scratch = nothing(partials.used_bytes / 4);
  partials = cuda::DecodePartials(units, group, static_cast<std::int32_t>(c.head_dim), scratch.data());
  const std::int64_t most_scored = cache.arena().most_scored;
  const bool keeps = most_scored > 0;
  cuda::DecodeScores scores(c.heads, c.kv_heads, most_scored, nullptr);
  GuardedBytes kept(scores.used_bytes);
  scores = cuda::DecodeScores(c.heads, c.kv_heads, most_scored, kept.data());
  const float scale_log2 = scale_log2_of(c.head_dim);
  for (std::int32_t worker = 0; worker < units.workers; ++worker) {
    HostDecodeWarp warp(c, t, cache, units, partials);
    keeps ? cuda::decode_share<true>(warp, cuda::OneLane(), units, scores, worker, scale_log2)
          : cuda::decode_share<false>(warp, cuda::OneLane(), units, scores, worker, scale_log2);
  }
  for (std::int64_t head = 0; head < c.heads; ++head) {
    const std::int64_t kv_head = head / group;
    const std::int64_t at = head * c.tokens + t;
    const std::int64_t own = (kv_head * c.tokens + t) * c.head_dim;
    const cuda::DecodeRow row{c.queries.data() + at * c.head_dim,
                              c.keys.data() + own,
                              c.values.data() + own,
                              result.out.data() + at * c.head_dim,
                              result.lse.data() + at,
                              static_cast<std::int32_t>(c.head_dim),
                              false,
                              keeps ? scores.softmax + head : nullptr};
    cuda::merge_decode(HostTeam(), cuda::OneLane(), units, partials, static_cast<std::int32_t>(kv_head),
                       static_cast<std::int32_t>(head % group), row, scale_log2);
  }
  std::vector<float> self_scores;
  for (std::int32_t kv_head = 0; keeps && kv_head < c.kv_heads; ++kv_head) {
    const cuda::KvHeadPages head(cache.arena(), 0, kv_head);
    for (std::int32_t slot = 0; slot < head.state->entries(); ++slot) scores.add_to(head, kv_head, slot, scale_log2);
    self_scores.push_back(scores.of_token(kv_head));
  }
  CHECK(kept.guards_hold());
  return self_scores;
}

class HostPrefillBlock : public HostQueryBlock {
 public:
  HostPrefillBlock(const TrainUnit& unit, const CacheOnHost& cache, std::int64_t head)
      : HostQueryBlock(unit, head, {}, {}, {}), cache_(cache), pages_(cache.arena(), 0, unit.kv_head) {}

  void fetch_cached(std::int32_t tile, int stage) {
    const auto rows = [&](std::int64_t offset) {
      Numbers numbers(static_cast<std::size_t>(unit_.tile() * unit_.sizes.head_dim), 0.0F);
      for (std::int64_t row = 0; row < unit_.tile(); ++row) {
        const auto slot = static_cast<std::int32_t>(tile * unit_.tile() + row);
        if (slot >= pages_.state->entries()) break;
        for (std::int64_t d = 0; d < unit_.sizes.head_dim; ++d) {
          numbers[static_cast<std::size_t>(row * unit_.sizes.head_dim + d)] =
              cache_.stored(pages_.key_row(slot) + offset, d);
        }
      }
      return numbers;
    };
    keys_[static_cast<std::size_t>(stage)] = rows(0);
    values_[static_cast<std::size_t>(stage)] = rows(pages_.value_offset());
  }
  [[nodiscard]] std::int32_t cached_position(std::int32_t slot) const { return pages_.position(slot); }

 private:
  const CacheOnHost& cache_;
  cuda::KvHeadPages pages_;
};

}  // namespace

AttentionResult<float> sequence_loops_decode(const AttentionCase& c, std::int32_t page_entries) {
  AttentionResult<float> result{nothing(c.heads * c.tokens * c.head_dim), nothing(c.heads * c.tokens)};
  CacheOnHost cache = cache_of(c, page_entries);
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    decode_token(c, cache, t, result);
    append_and_finish(c, cache, t, 1);
  }
  return result;
}

ScoreRuleRun sequence_loops_score_rule(const AttentionCase& c, const kernels::ScoreRule& rule,
                                       std::int32_t page_entries) {
  ScoreRuleRun run = unwritten_run(c);
  CacheOnHost cache = cache_of(c, page_entries, &rule);
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    DropStep step{LayerId(0), decode_token(c, cache, t, run.attention), {}, {}, {}};
    append(c, cache, t, 1);
    step.prescribed.assign(step.self_scores.size(), kernels::no_drop);
    REQUIRE(cache.keep_by_scores(step).ok());
    REQUIRE(cache.finish_step().ok());
    note_drops(c, t, step, run);
  }
  note_scores(c, cache, run);
  return run;
}

AttentionResult<float> sequence_loops_prefill(const AttentionCase& c, std::int64_t chunk, std::int32_t page_entries) {
  AttentionResult<float> result{nothing(c.heads * c.tokens * c.head_dim), nothing(c.heads * c.tokens)};
  CacheOnHost cache = cache_of(c, page_entries);
  for (std::int64_t first = 0; first < c.tokens; first += chunk) {
    const std::int64_t rows = std::min(chunk, c.tokens - first);
    const auto slice = [&](auto* data, std::int64_t heads) {
      return View<std::remove_pointer_t<decltype(data)>, 4>{
          data + first * c.head_dim, {1, heads, rows, c.head_dim}, {0, c.tokens * c.head_dim, c.head_dim, 1}};
    };
    const kernels::AttentionTrainInputs inputs{
        slice(c.queries.data(), c.heads),
        slice(c.keys.data(), c.kv_heads),
        slice(c.values.data(), c.kv_heads),
        ConstView<Role, 3>{c.roles.data() + first, {1, c.kv_heads, rows}, {0, c.tokens, 1}},
        c.window,
        c.dtype};
    for (std::int64_t kv_head = 0; kv_head < c.kv_heads; ++kv_head) {
      const TrainUnit unit(inputs, 0, kv_head);
      const auto& held = cuda::KvHeadPages(cache.arena(), 0, kv_head).state->held;
      const cuda::CachedKeys cached{held[0],
                                    held[0] + held[1],
                                    held[0] + held[1] + held[2],
                                    cuda::first_global(unit.plan),
                                    static_cast<std::int32_t>(first),
                                    c.window};
      for (std::int64_t head = kv_head * unit.sizes.group(); head < (kv_head + 1) * unit.sizes.group(); ++head) {
        for (std::int32_t block_index = 0; block_index < unit.plan.blocks(); ++block_index) {
          HostPrefillBlock block(unit, cache, head);
          block.to_out = slice(result.out.data(), c.heads);
          block.to_lse = {result.lse.data() + first, {1, c.heads, rows}, {0, c.tokens, 1}};
          cuda::prefill_block(block, cached, unit.plan, block_index, scale_log2_of(c.head_dim));
        }
      }
    }
    append_and_finish(c, cache, first, rows);
  }
  return result;
}

std::vector<CacheBackend> cache_backends() {
  return {{"cuda's loops on the host",
           [](const kernels::KvCacheShape& shape, std::int64_t max_tokens, std::int64_t window,
              const kernels::ScoreRule* rule) -> std::unique_ptr<TestedCache> {
             return std::make_unique<CacheOnHost>(shape, max_tokens, window, rule);
           }}};
}

}  // namespace natscope::test
