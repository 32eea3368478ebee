// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_decode.h"

#include <hwy/cache_control.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <vector>

#include "kernels/cpu/operations.h"
#include "kernels/cpu/simd_targets.h"
#include "kernels/shared_work.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_decode.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/simd_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

constexpr std::size_t ahead_bytes = 2048;
constexpr std::int64_t block_entries = 32;  // what is scored before its values are read: both fit the first cache

/// Values follow their page's keys, so that asking ahead of either reaches what is read next.
template <class Element>
HWY_INLINE void ask_ahead(const Element* row) {
  constexpr std::size_t bytes = 2 * f32_lanes * sizeof(Element);
  for (std::size_t at = 0; at < bytes; at += 64) hwy::Prefetch(reinterpret_cast<const char*>(row) + ahead_bytes + at);
}

/// scores[q, entry] = scale · q·k. Four entries at a time; past the last one the last is taken again.
template <int query_count, class Element>
HWY_INLINE void score_block(const Element* keys, std::int64_t count, std::int64_t head_dim, const float* queries,
                            std::int64_t padded_dim, float scale, float (*scores)[block_entries]) {
  const auto factor = hn::Set(F32(), scale);
  const auto dim = static_cast<std::size_t>(head_dim);
  for (std::int64_t entry = 0; entry < count; entry += 4) {
    const Element* row0 = keys + entry * head_dim;
    const Element* row1 = keys + std::min(entry + 1, count - 1) * head_dim;
    const Element* row2 = keys + std::min(entry + 2, count - 1) * head_dim;
    const Element* row3 = keys + std::min(entry + 3, count - 1) * head_dim;
    F32Vec sum[query_count][4];
    for (int q = 0; q < query_count; ++q) sum[q][0] = sum[q][1] = sum[q][2] = sum[q][3] = hn::Zero(F32());
    const auto add = [&](std::size_t at, const RowPair& k0, const RowPair& k1, const RowPair& k2,
                         const RowPair& k3) HWY_ATTR {
      for (int q = 0; q < query_count; ++q) {
        const RowPair query = load_pair(queries + q * padded_dim + static_cast<std::int64_t>(at));
        sum[q][0] = hn::MulAdd(query.second, k0.second, hn::MulAdd(query.first, k0.first, sum[q][0]));
        sum[q][1] = hn::MulAdd(query.second, k1.second, hn::MulAdd(query.first, k1.first, sum[q][1]));
        sum[q][2] = hn::MulAdd(query.second, k2.second, hn::MulAdd(query.first, k2.first, sum[q][2]));
        sum[q][3] = hn::MulAdd(query.second, k3.second, hn::MulAdd(query.first, k3.first, sum[q][3]));
      }
    };
    std::size_t at = 0;
    for (; at + 2 * f32_lanes <= dim; at += 2 * f32_lanes) {
      ask_ahead(row0 + at);
      ask_ahead(row1 + at);
      ask_ahead(row2 + at);
      ask_ahead(row3 + at);
      add(at, load_pair(row0 + at), load_pair(row1 + at), load_pair(row2 + at), load_pair(row3 + at));
    }
    if (at < dim) {
      add(at, load_pair_end(row0 + at, dim - at), load_pair_end(row1 + at, dim - at),
          load_pair_end(row2 + at, dim - at), load_pair_end(row3 + at, dim - at));
    }
    for (int q = 0; q < query_count; ++q) {
      store_sums_of_four(hn::Mul(sum[q][0], factor), hn::Mul(sum[q][1], factor), hn::Mul(sum[q][2], factor),
                         hn::Mul(sum[q][3], factor), scores[q] + entry);
    }
  }
}

/// sums[q, :] += Σ weights[q, entry] · values[entry, :], a few pairs of the row at a time held in registers.
template <int query_count, int pairs, class Element>
HWY_INLINE void add_values_at(const Element* values, std::int64_t count, std::int64_t head_dim, std::size_t at,
                              std::size_t end, const float (*weights)[block_entries], float* sums,
                              std::int64_t padded_dim) {
  RowPair sum[query_count][pairs];
  for (int q = 0; q < query_count; ++q) {
    for (std::size_t p = 0; p < pairs; ++p) sum[q][p] = load_pair(sums + q * padded_dim + at + p * 2 * f32_lanes);
  }
  for (std::int64_t entry = 0; entry < count; ++entry) {
    RowPair value[pairs];
    for (std::size_t p = 0; p < pairs; ++p) {
      const std::size_t from = at + p * 2 * f32_lanes;
      const Element* row = values + entry * head_dim + from;
      ask_ahead(row);
      value[p] = from + 2 * f32_lanes <= end ? load_pair(row) : load_pair_end(row, end - from);
    }
    for (int q = 0; q < query_count; ++q) {
      const F32Vec weight = hn::Set(F32(), weights[q][entry]);
      for (int p = 0; p < pairs; ++p) {
        sum[q][p].first = hn::MulAdd(weight, value[p].first, sum[q][p].first);
        sum[q][p].second = hn::MulAdd(weight, value[p].second, sum[q][p].second);
      }
    }
  }
  for (int q = 0; q < query_count; ++q) {
    for (std::size_t p = 0; p < pairs; ++p) {
      hn::StoreU(sum[q][p].first, F32(), sums + q * padded_dim + at + p * 2 * f32_lanes);
      hn::StoreU(sum[q][p].second, F32(), sums + q * padded_dim + at + p * 2 * f32_lanes + f32_lanes);
    }
  }
}

template <int query_count, class Element>
HWY_INLINE void add_values(const Element* values, std::int64_t count, std::int64_t head_dim,
                           const float (*weights)[block_entries], float* sums, std::int64_t padded_dim) {
  constexpr int widest = HWY_TARGET <= HWY_AVX3 ? 2 : 1;
  constexpr std::size_t pair = 2 * f32_lanes;
  const auto dim = static_cast<std::size_t>(head_dim);
  std::size_t at = 0;
  for (; at + widest * pair <= dim; at += widest * pair) {
    add_values_at<query_count, widest>(values, count, head_dim, at, dim, weights, sums, padded_dim);
  }
  for (; at < dim; at += pair) {
    add_values_at<query_count, 1>(values, count, head_dim, at, dim, weights, sums, padded_dim);
  }
}

/// Turns a query's scores into weights relative to its largest score so far, and shrinks what was summed before to
/// match.
HWY_INLINE void weigh_block(float* scores, std::int64_t count, float* largest, float* total, float* sums,
                            std::int64_t padded_dim) {
  const F32 d;
  for (std::int64_t entry = count; entry < block_entries; ++entry)
    scores[entry] = -std::numeric_limits<float>::infinity();
  auto top = hn::LoadU(d, scores);
  for (std::size_t entry = f32_lanes; entry < block_entries; entry += f32_lanes)
    top = hn::Max(top, hn::LoadU(d, scores + entry));
  const float block_largest = hn::GetLane(hn::MaxOfLanes(d, top));
  if (block_largest > *largest) {
    const float shrink = hn::GetLane(exp_of(hn::Set(d, *largest - block_largest)));
    const auto factor = hn::Set(d, shrink);
    for (std::int64_t at = 0; at < padded_dim; at += static_cast<std::int64_t>(f32_lanes)) {
      hn::StoreU(hn::Mul(hn::LoadU(d, sums + at), factor), d, sums + at);
    }
    *total *= shrink;
    *largest = block_largest;
  }
  auto sum = hn::Zero(d);
  for (std::size_t entry = 0; entry < block_entries; entry += f32_lanes) {
    const auto weight = exp_of(hn::Sub(hn::LoadU(d, scores + entry), hn::Set(d, *largest)));
    hn::StoreU(weight, d, scores + entry);
    sum = hn::Add(sum, weight);
  }
  *total += hn::GetLane(hn::SumOfLanes(d, sum));
}

template <int query_count, class Element>
void attend_block(const DecodeSegment& segment, const Element* keys, const Element* values, std::int64_t count,
                  std::int64_t q, float scale, std::int64_t seen) {
  HWY_ALIGN float scores[query_count][block_entries];
  const std::int64_t head_dim = segment.cache->shape().head_dim;
  const std::int64_t padded_dim = segment.padded_dim;
  score_block<query_count>(keys, count, head_dim, segment.queries + q * padded_dim, padded_dim, scale, scores);
  for (int of = 0; of < query_count; ++of) {
    if (segment.scores != nullptr)
      std::copy_n(scores[of], count, segment.scores + (q + of) * segment.score_stride + seen);
    weigh_block(scores[of], count, segment.largest + q + of, segment.total + q + of,
                segment.sums + (q + of) * padded_dim, padded_dim);
  }
  add_values<query_count>(values, count, head_dim, scores, segment.sums + q * padded_dim, padded_dim);
}

template <class Element>
void attend_pages(const DecodeSegment& segment) {
  const std::int64_t head_dim = segment.cache->shape().head_dim;
  const std::int64_t page_entries = segment.cache->shape().page_entries;
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  for (std::int64_t index = segment.page_begin; index < segment.page_end; ++index) {
    const KvPage page = segment.cache->page(segment.layer, segment.kv_head, index);
    for (std::int64_t first = 0; first < page.count; first += block_entries) {
      const std::int64_t count = std::min<std::int64_t>(block_entries, page.count - first);
      const Element* keys = static_cast<const Element*>(page.keys) + first * head_dim;
      const Element* values = static_cast<const Element*>(page.values) + first * head_dim;
      const std::int64_t seen = index * page_entries + first;
      std::int64_t q = 0;
      for (; q + 4 <= segment.group; q += 4) attend_block<4>(segment, keys, values, count, q, scale, seen);
      for (; q + 2 <= segment.group; q += 2) attend_block<2>(segment, keys, values, count, q, scale, seen);
      for (; q < segment.group; ++q) attend_block<1>(segment, keys, values, count, q, scale, seen);
    }
  }
}

void attend_segment(const DecodeSegment& segment) {
  if (segment.cache->shape().dtype == ElementType::f32) {
    attend_pages<float>(segment);
  } else {
    attend_pages<Bf16>(segment);
  }
}

/// A query as the segments take it: in the order of load_pair, zeros behind head_dim.
void arrange_query(const float* query, std::int64_t head_dim, std::int64_t padded_dim, ElementType dtype,
                   float* arranged) {
  for (std::int64_t i = 0; i < padded_dim; ++i) {
    arranged[arranged_place(static_cast<std::size_t>(i), dtype)] = i < head_dim ? query[i] : 0.0F;
  }
}

/// out[i] += sums[i], back from that order.
void add_arranged(const float* sums, std::int64_t head_dim, ElementType dtype, float* out) {
  for (std::int64_t i = 0; i < head_dim; ++i) out[i] += sums[arranged_place(static_cast<std::size_t>(i), dtype)];
}

/// scores[slot] += e^(raw[slot] − lse), page by page.
void add_weights(const float* raw, std::int64_t count, float lse, float* scores) {
  const F32 d;
  std::int64_t at = 0;
  for (; at + static_cast<std::int64_t>(f32_lanes) <= count; at += static_cast<std::int64_t>(f32_lanes)) {
    hn::StoreU(hn::Add(hn::LoadU(d, scores + at), exp_of(hn::Sub(hn::LoadU(d, raw + at), hn::Set(d, lse)))), d,
               scores + at);
  }
  for (; at < count; ++at) scores[at] += std::exp(raw[at] - lse);
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(attend_segment);
HWY_EXPORT(add_weights);
HWY_EXPORT(arrange_query);
HWY_EXPORT(add_arranged);

namespace {

constexpr double bytes_a_ns = 10;  // about what one core reads
constexpr std::int64_t widest_pair = 32;
constexpr std::size_t widest_row = 256;  // head_dim at most
constexpr std::int64_t segment_entries =
    256;  // one task: fixed, so that the order of sums does not depend on the threads

/// The segments of a layer and the arrays they work on.
struct DecodePlan {
  DecodePlan(ConstView<float, 2> queries, const KvCache& cache, LayerId layer, bool keep_scores);

  std::int64_t group;
  std::int64_t padded_dim;
  std::vector<DecodeSegment> segments;      // a KV head's stand side by side
  std::vector<std::int64_t> first_segment;  // [kv_heads + 1]
  std::vector<float> padded_queries;        // [heads, padded_dim], as arrange_query leaves them
  std::vector<float> sums;                  // [segments, group, padded_dim]
  std::vector<float> largest;               // [segments, group]
  std::vector<float> total;
  std::vector<float> scores;  // per KV head [group, entries]
  double work = 0;            // see share_work
};

DecodePlan::DecodePlan(ConstView<float, 2> queries, const KvCache& cache, LayerId layer, bool keep_scores)
    : group(queries.size(0) / cache.shape().kv_heads),
      padded_dim((queries.size(1) + widest_pair - 1) / widest_pair * widest_pair) {
  const std::int64_t heads = queries.size(0);
  padded_queries.assign(static_cast<std::size_t>(heads * padded_dim), 0.0F);
  for (std::int64_t head = 0; head < heads; ++head) {
    HWY_DYNAMIC_DISPATCH(arrange_query)
    (&queries(head, 0), queries.size(1), padded_dim, cache.shape().dtype, padded_queries.data() + head * padded_dim);
  }
  const std::int64_t pages_a_segment = std::max<std::int64_t>(1, segment_entries / cache.shape().page_entries);
  std::int64_t score_count = 0;
  for (std::int32_t kv_head = 0; kv_head < cache.shape().kv_heads; ++kv_head) {
    first_segment.push_back(static_cast<std::int64_t>(segments.size()));
    const std::int64_t pages = cache.page_count(layer, KvHeadId(kv_head));
    const std::int64_t entries = cache.entries(layer, KvHeadId(kv_head));
    for (std::int64_t page = 0; page < pages; page += pages_a_segment) {
      segments.push_back({&cache, layer, KvHeadId(kv_head), page, std::min(page + pages_a_segment, pages), group,
                          padded_dim, padded_queries.data() + kv_head * group * padded_dim, nullptr, nullptr, nullptr,
                          nullptr, entries});
    }
    if (keep_scores) score_count += group * entries;
    const std::int64_t bytes = entries * 2 * cache.shape().head_dim * element_bytes(cache.shape().dtype);
    work += static_cast<double>(bytes) / bytes_a_ns;
  }
  first_segment.push_back(static_cast<std::int64_t>(segments.size()));
  const std::size_t rows = segments.size() * static_cast<std::size_t>(group);
  sums.assign(rows * static_cast<std::size_t>(padded_dim), 0.0F);
  largest.assign(rows, -std::numeric_limits<float>::infinity());
  total.assign(rows, 0.0F);
  scores.resize(static_cast<std::size_t>(score_count));

  float* head_scores = scores.data();
  for (std::size_t index = 0; index < segments.size(); ++index) {
    DecodeSegment& segment = segments[index];
    const auto row = static_cast<std::int64_t>(index) * group;
    segment.sums = sums.data() + row * padded_dim;
    segment.largest = largest.data() + row;
    segment.total = total.data() + row;
    if (!keep_scores) continue;
    if (index > 0 && segments[index - 1].kv_head != segment.kv_head)
      head_scores += group * segments[index - 1].score_stride;
    segment.scores = head_scores;
  }
}

/// Joins a head's segments and the new token itself: the same softmax as if all had been seen at once.
void join_segments(const DecodePlan& plan, const KvCache& cache, std::int64_t head, const float* query,
                   ConstView<float, 2> self_key, ConstView<float, 2> self_value, View<float, 2> out,
                   std::span<float> lse, std::span<float> self_scores) {
  const std::int64_t head_dim = out.size(1);
  const std::int64_t kv_head = head / plan.group;
  const std::int64_t q = head % plan.group;
  double self = 0;
  for (std::int64_t d = 0; d < head_dim; ++d)
    self += static_cast<double>(query[d]) * static_cast<double>(self_key(kv_head, d));
  self /= std::sqrt(static_cast<double>(cache.shape().head_dim));

  const auto begin = plan.first_segment[static_cast<std::size_t>(kv_head)];
  const auto end = plan.first_segment[static_cast<std::size_t>(kv_head) + 1];
  const auto row_of = [&](std::int64_t segment) { return static_cast<std::size_t>(segment * plan.group + q); };
  double largest = self;
  for (std::int64_t segment = begin; segment < end; ++segment) {
    largest = std::max(largest, static_cast<double>(plan.largest[row_of(segment)]));
  }
  double total = std::exp(self - largest);
  for (std::int64_t segment = begin; segment < end; ++segment) {
    total += std::exp(static_cast<double>(plan.largest[row_of(segment)]) - largest) *
             static_cast<double>(plan.total[row_of(segment)]);
  }
  const auto self_weight = static_cast<float>(std::exp(self - largest) / total);
  std::array<float, widest_row> joined{};
  for (std::int64_t segment = begin; segment < end; ++segment) {
    const auto weight =
        static_cast<float>(std::exp(static_cast<double>(plan.largest[row_of(segment)]) - largest) / total);
    const float* sums = plan.sums.data() + static_cast<std::int64_t>(row_of(segment)) * plan.padded_dim;
    for (std::int64_t at = 0; at < plan.padded_dim; ++at) joined[static_cast<std::size_t>(at)] += weight * sums[at];
  }
  for (std::int64_t d = 0; d < head_dim; ++d) out(head, d) = self_weight * self_value(kv_head, d);
  HWY_DYNAMIC_DISPATCH(add_arranged)(joined.data(), head_dim, cache.shape().dtype, &out(head, 0));
  lse[static_cast<std::size_t>(head)] = static_cast<float>(largest + std::log(total));
  if (!self_scores.empty()) self_scores[static_cast<std::size_t>(kv_head)] += self_weight;
}

void add_page_scores(const DecodePlan& plan, const KvCache& cache, LayerId layer, std::span<const float> lse) {
  const auto run = HWY_DYNAMIC_DISPATCH(add_weights);
  for (const DecodeSegment& segment : plan.segments) {
    for (std::int64_t index = segment.page_begin; index < segment.page_end; ++index) {
      const KvPage page = cache.page(layer, segment.kv_head, index);
      for (std::int64_t q = 0; q < plan.group; ++q) {
        const float row_lse = lse[static_cast<std::size_t>(segment.kv_head.value * plan.group + q)];
        run(segment.scores + q * segment.score_stride + index * cache.shape().page_entries, page.count, row_lse,
            page.scores);
      }
    }
  }
}

}  // namespace

Status attention_decode(ConstView<float, 2> queries, ConstView<float, 2> self_key, ConstView<float, 2> self_value,
                        const KvCache& cache, LayerId layer, View<float, 2> out, std::span<float> lse,
                        std::span<float> self_scores) {
  try {
    bool keep_scores = false;
    for (std::int32_t head = 0; head < cache.shape().kv_heads && !keep_scores && !self_scores.empty(); ++head) {
      keep_scores =
          cache.page_count(layer, KvHeadId(head)) > 0 && cache.page(layer, KvHeadId(head), 0).scores != nullptr;
    }
    const DecodePlan plan(queries, cache, layer, keep_scores);
    const auto run = HWY_DYNAMIC_DISPATCH(attend_segment);
    share_work(static_cast<std::int64_t>(plan.segments.size()), 1, plan.work,
               [&](int, std::int64_t begin, std::int64_t end) {
                 for (std::int64_t index = begin; index < end; ++index)
                   run(plan.segments[static_cast<std::size_t>(index)]);
               });
    std::fill(self_scores.begin(), self_scores.end(), 0.0F);
    for (std::int64_t head = 0; head < queries.size(0); ++head) {
      join_segments(plan, cache, head, &queries(head, 0), self_key, self_value, out, lse, self_scores);
    }
    if (keep_scores) add_page_scores(plan, cache, layer, lse);
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "attention_decode"};
  }
  return {};
}

}  // namespace natscope::kernels::cpu
#endif
