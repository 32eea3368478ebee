// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/sequence_backend.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "kernels/attention_prefill.h"
#include "kernels/cuda/linear_loops.h"
#include "kernels/cuda/token_rows.h"
#include "tests/kernels/decode_step.h"
#include "tests/kernels/score_rule_run.h"
#include "tests/kernels/sequence_loops_on_host.h"

namespace natscope::test {

namespace {

using namespace kernels;

/// The whole sequence token by token through the cache; out [heads, T, head_dim], lse [heads, T] as the dense rule has
/// them.
AttentionResult<float> decode_all(Backend backend, const AttentionCase& c, std::int32_t page_entries) {
  AttentionResult<float> result;
  result.out.assign(c.queries.size(), std::numeric_limits<float>::quiet_NaN());
  result.lse.assign(static_cast<std::size_t>(c.heads * c.tokens), std::numeric_limits<float>::quiet_NaN());
  const auto cache = cache_for(c, page_entries);
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    GuardedArray out(c.heads * c.head_dim);
    GuardedArray lse(c.heads);
    REQUIRE(decode(backend, c, step_at(c, t), *cache, out, lse).ok());
    CHECK(out.guards_hold());
    CHECK(lse.guards_hold());
    for (std::int64_t head = 0; head < c.heads; ++head) {
      std::copy_n(out.data() + head * c.head_dim, c.head_dim, result.out.begin() + (head * c.tokens + t) * c.head_dim);
      result.lse[static_cast<std::size_t>(head * c.tokens + t)] = lse[head];
    }
    append_tokens(c, *cache, t, 1);
  }
  return result;
}

/// The whole sequence in chunks of the given size through the cache, in the layout of dense_attention.
AttentionResult<float> prefill_all(Backend backend, const AttentionCase& c, std::int64_t chunk,
                                   std::int32_t page_entries) {
  GuardedArray out(c.heads * c.tokens * c.head_dim);
  GuardedArray lse(c.heads * c.tokens);
  const auto cache = cache_for(c, page_entries);
  for (std::int64_t first = 0; first < c.tokens; first += chunk) {
    const std::int64_t rows = std::min(chunk, c.tokens - first);
    const auto slice = [&](auto* data, std::int64_t heads) {
      return View<std::remove_pointer_t<decltype(data)>, 3>{
          data + first * c.head_dim, {heads, rows, c.head_dim}, {c.tokens * c.head_dim, c.head_dim, 1}};
    };
    const ConstView<Role, 2> roles{c.roles.data() + first, {c.kv_heads, rows}, {c.tokens, 1}};
    const View<float, 2> lse_rows{lse.data() + first, {c.heads, rows}, {c.tokens, 1}};
    REQUIRE(attention_prefill(backend, slice(c.queries.data(), c.heads), slice(c.keys.data(), c.kv_heads),
                              slice(c.values.data(), c.kv_heads), roles, *cache, LayerId(0),
                              TokenPos(static_cast<std::int32_t>(first)), slice(out.data(), c.heads), lse_rows)
                .ok());
    append_tokens(c, *cache, first, rows);
  }
  CHECK(out.guards_hold());
  CHECK(lse.guards_hold());
  CHECK(out.all_written());
  CHECK(lse.all_written());
  return {{out.span().begin(), out.span().end()}, {lse.span().begin(), lse.span().end()}};
}

/// As decode_all, with a rule after every token.
ScoreRuleRun score_rule_all(Backend backend, const AttentionCase& c, const ScoreRule& rule, std::int32_t page_entries) {
  ScoreRuleRun run = unwritten_run(c);
  const auto cache = cache_for(c, page_entries, true);
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    GuardedArray out(c.heads * c.head_dim);
    GuardedArray lse(c.heads);
    GuardedArray self(c.kv_heads);
    REQUIRE(decode(backend, c, step_at(c, t), *cache, out, lse, self.span()).ok());
    for (std::int64_t head = 0; head < c.heads; ++head) {
      std::copy_n(out.data() + head * c.head_dim, c.head_dim,
                  run.attention.out.begin() + (head * c.tokens + t) * c.head_dim);
      run.attention.lse[static_cast<std::size_t>(head * c.tokens + t)] = lse[head];
    }
    append_tokens(c, *cache, t, 1);
    const TokenPos now(static_cast<std::int32_t>(t));
    DropStep step{LayerId(0), {}, {}, {}, {}};
    for (std::int32_t index = 0; index < c.kv_heads; ++index) {
      if (c.role(index, t) != Role::sliding || c.window > 0)
        REQUIRE(cache->set_score(LayerId(0), KvHeadId(index), now, self[index]).ok());
    }
    const bool are_shared = rule.scores == EntryScores::of_last_query;
    if (are_shared) REQUIRE(cache->share_scores(LayerId(0)).ok());
    for (std::int32_t index = 0; index < c.kv_heads; ++index) {
      const KvHeadId head(index);
      std::vector<TokenPos> dropped;
      REQUIRE(cache->keep_by_scores(LayerId(0), head, now, rule.heavy, rule.recent, &dropped).ok());
      REQUIRE(dropped.size() <= 1);
      step.dropped.push_back(dropped.empty() ? no_drop : dropped[0].value);
      step.held.push_back(static_cast<std::int32_t>(cache->entries(LayerId(0), head)));
    }
    if (are_shared) REQUIRE(cache->clear_scores(LayerId(0)).ok());
    note_drops(c, t, step, run);
  }
  for (std::int32_t head = 0; head < c.kv_heads; ++head) {
    for (std::int64_t index = 0; index < cache->page_count(LayerId(0), KvHeadId(head)); ++index) {
      const KvPage page = cache->page(LayerId(0), KvHeadId(head), index);
      for (std::int32_t slot = 0; slot < page.count; ++slot)
        run.scores[static_cast<std::size_t>(head)][page.positions[slot]] = page.scores[slot];
    }
  }
  return run;
}

SequenceBackend sequence_backend(const char* name, Backend backend) {
  return {name,
          [backend](const AttentionCase& c, std::int32_t page_entries) { return decode_all(backend, c, page_entries); },
          [backend](const AttentionCase& c, std::int64_t chunk, std::int32_t page_entries) {
            return prefill_all(backend, c, chunk, page_entries);
          },
          [backend](const AttentionCase& c, const ScoreRule& rule, std::int32_t page_entries) {
            return score_rule_all(backend, c, rule, page_entries);
          }};
}

LinearBackend linear_backend(const char* name, Backend backend) {
  return {name,
          [backend](std::span<const float> x, std::span<const LinearRow> products) {
            return linear_row(backend, x, products);
          },
          true};
}

/// The lanes' numbers in the order in which a warp adds them.
float warp_sum(std::array<float, 32> of_lane) {
  for (std::size_t step = 16; step > 0; step /= 2) {
    const std::array<float, 32> before = of_lane;
    for (std::size_t lane = 0; lane < 32; ++lane) of_lane[lane] += before[lane ^ step];
  }
  return of_lane[0];
}

/// kernels/cuda/linear.cu with its threads as loops: every lane's share, then the lanes' sums in the kernel's order.
template <int piece, class Weight>
void linear_loops_row(std::span<const float> x, const LinearRow& product, std::int64_t out_row) {
  const auto in_size = static_cast<std::int64_t>(x.size());
  std::array<float, 32> of_lane{};
  for (int lane = 0; lane < 32; ++lane) {
    float sums[cuda::linear_rows_at_once] = {};
    cuda::linear_lane_sums<piece>(lane, static_cast<const Weight*>(product.weight) + out_row * in_size, x.data(), 1,
                                  in_size, sums);
    of_lane[static_cast<std::size_t>(lane)] = sums[0];
  }
  product.out[out_row] = warp_sum(of_lane) + (product.bias != nullptr ? product.bias[out_row] : 0.0F);
}

template <class Weight>
void linear_loops_product(std::span<const float> x, const LinearRow& product) {
  constexpr int whole = 16 / static_cast<int>(sizeof(Weight));
  const bool in_pieces =
      cuda::linear_piece<Weight>(product.in_size, reinterpret_cast<std::uintptr_t>(product.weight)) == whole;
  for (std::int64_t row = 0; row < product.out_size; ++row) {
    in_pieces ? linear_loops_row<whole, Weight>(x, product, row) : linear_loops_row<1, Weight>(x, product, row);
  }
}

Status linear_loops(std::span<const float> x, std::span<const LinearRow> products) {
  for (const LinearRow& product : products) {
    product.dtype == ElementType::f32 ? linear_loops_product<float>(x, product)
                                      : linear_loops_product<Bf16>(x, product);
  }
  return {};
}

/// One row of kernels/cuda/token_products.cu, as linear_loops_row, by a team of two warps.
template <int piece, class Weight>
float token_row(std::span<const float> x, const Weight* weight) {
  constexpr int pieces = 2;
  constexpr int splits = 2;
  constexpr std::int32_t columns = 32 * piece * pieces;
  const auto in_size = static_cast<std::int32_t>(x.size());
  float sum = 0;
  for (int split = 0; split < splits; ++split) {
    std::array<float, 32> of_lane{};
    for (int lane = 0; lane < 32; ++lane) {
      for (std::int32_t first = split * columns; first < in_size; first += splits * columns) {
        cuda::LaneNumbers<piece, pieces> own;
        own.read(lane, x.data(), first, in_size);
        cuda::LanePieces<piece, pieces, Weight> held;
        held.read(lane, weight, first, in_size);
        held.multiply(own, of_lane[static_cast<std::size_t>(lane)]);
      }
    }
    sum += warp_sum(of_lane);
  }
  return sum;
}

template <class Weight>
void token_loops_row(std::span<const float> x, const cuda::TokenRow& at, const TokenProducts& call) {
  constexpr int whole = 16 / static_cast<int>(sizeof(Weight));
  const LinearRow& product = call.products[at.product];
  const auto* const weight = static_cast<const Weight*>(product.weight) + at.row * product.in_size;
  const bool in_pieces =
      cuda::linear_piece<Weight>(product.in_size, reinterpret_cast<std::uintptr_t>(product.weight)) == whole;
  product.out[at.row] = (in_pieces ? token_row<whole>(x, weight) : token_row<1>(x, weight)) +
                        (product.bias != nullptr ? product.bias[at.row] : 0.0F);
}

/// kernels/cuda/token_products.cu, as many products at a time as it takes.
Status token_loops(std::span<const float> x, std::span<const LinearRow> products) {
  while (!products.empty()) {
    TokenProducts call;
    call.count = static_cast<std::int32_t>(std::min<std::size_t>(products.size(), TokenProducts::most));
    std::copy_n(products.begin(), call.count, call.products);
    call.count = cuda::end_of_run(call, 0);
    products = products.subspan(static_cast<std::size_t>(call.count));
    const cuda::TokenRows rows(call);
    for (std::int32_t group = 0; group < rows.groups; ++group) {
      for (int which = 0; which < cuda::token_rows_at_once; ++which) {
        const cuda::TokenRow at = rows.row(group, which);
        if (at.product < 0) continue;
        call.products[at.product].dtype == ElementType::f32 ? token_loops_row<float>(x, at, call)
                                                            : token_loops_row<Bf16>(x, at, call);
      }
    }
  }
  return {};
}

}  // namespace

std::vector<SequenceBackend> sequence_backends() {
  return {sequence_backend("ref", Backend::ref),
          sequence_backend("cpu", Backend::cpu),
          {"cuda's loops on the host", sequence_loops_decode, sequence_loops_prefill, sequence_loops_score_rule, true}};
}
std::vector<LinearBackend> linear_backends() {
  return {linear_backend("ref", Backend::ref),
          linear_backend("cpu", Backend::cpu),
          {"cuda's loops on the host", linear_loops},
          {"cuda's loops of one token on the host", token_loops}};
}

}  // namespace natscope::test
