// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/train_plan.h"

/// The training attention's loops over tiles, what they mask and what they sum, without saying who holds a tile: a
/// `Block` is a thread block whose threads hold fragments of matrices (tile_math.cuh), or the CPU test's plain arrays.
/// Both run this code.
///
/// A Block has `tile` rows and as many columns. fetch_…(index, stage) begins to bring a tile into one of `stages()`
/// buffers, arrive() waits for the oldest fetch, leave() says that everybody is done with that stage. score(stage)
/// makes the scores of a stage's tile, score_pairs(stage) also dp = dO · vᵀ. each_pair(f) calls f(row, column, score,
/// dp) for what this thread holds; each_row(f) calls f(row, sums, values) where values(g) calls g(column, dp) for the
/// columns of that row that it holds.
namespace natscope::kernels::cuda {

inline constexpr float log2_e = 1.4426950408889634F;

/// 2^x to about two units in the last place; numbers below 2^-126 become 0.
[[nodiscard]] NATSCOPE_HD inline float fast_exp2(float x) {
#ifdef __CUDA_ARCH__
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
#else
  return exp2f(x);
#endif
}

/// min(e^s / S, 1) from its logarithm to base 2 (equation 17); NaN stays NaN.
[[nodiscard]] NATSCOPE_HD inline float clipped_share(float exponent) {
#ifdef __CUDA_ARCH__
  float clipped;
  asm("min.NaN.f32 %0, %1, 0f00000000;" : "=f"(clipped) : "f"(exponent));
#else
  const float clipped = exponent > 0.0F ? 0.0F : exponent;
#endif
  return fast_exp2(clipped);
}

/// Sums of dM along a key's column. Threads that share a key add theirs up at the end.
struct KeyRoleSums {
  float total = 0;      ///< over all later queries
  float to_next = 0;    ///< up to TrainPlan::next_end
  float to_window = 0;  ///< up to TrainPlan::window_end
  float to_second = 0;  ///< up to TrainPlan::second_end
};

/// Tiles come through the block's stages, one ahead of the one that is worked on where there are two of them.
template <class Fetch, class Work, class Block>
NATSCOPE_HD void through_stages(Block& block, std::int32_t count, const Fetch& fetch, const Work& work) {
  const std::int32_t ahead = block.stages() - 1;  // 0 or 1
  for (std::int32_t index = 0; index < ahead; ++index) {
    if (index < count) fetch(index, index & ahead);
    block.commit();
  }
  for (std::int32_t index = 0; index < count; ++index) {
    if (index + ahead < count) fetch(index + ahead, (index + ahead) & ahead);
    block.commit();
    block.arrive();
    work(index, index & ahead);
    block.leave();
  }
}

/// Output and log-sum-exp of the queries of one block of one head: online softmax over the tiles that some of them see.
template <class Block>
NATSCOPE_HD void train_forward_block(Block& block, const TrainPlan& plan, std::int32_t query_block, float scale_log2) {
  const TrainTiles tiles(plan, query_block);
  const std::int32_t first = query_block * plan.tile;
  block.fetch_queries(query_block);
  const PlanRuns runs(plan);
  const auto fetch = [&](std::int32_t index, int stage) { block.fetch_keys(tiles[index], stage); };
  through_stages(block, tiles.count(), fetch, [&](std::int32_t index, int stage) {
    const std::int32_t tile = tiles[index];
    const bool whole = is_whole(reach_of_tile(plan, runs, tile), plan.tile, first, plan.length);
    block.score(stage);
    if (!whole) {
      block.each_score([&](std::int32_t row, std::int32_t column, float& score) {
        if (!plan.sees(tile * plan.tile + column, first + row)) score = -INFINITY;
      });
    }
    block.soften(scale_log2);
    block.add_values(stage);
  });
  block.write_output(query_block, scale_log2);
}

/// dq of the queries of one block of one head, over the tiles that some of them see.
template <class Block>
NATSCOPE_HD void train_query_gradient_block(Block& block, const TrainPlan& plan, std::int32_t query_block,
                                            float scale_log2) {
  const TrainTiles tiles(plan, query_block);
  const std::int32_t first = query_block * plan.tile;
  block.fetch_queries(query_block);
  const PlanRuns runs(plan);
  const auto fetch = [&](std::int32_t index, int stage) { block.fetch_keys(tiles[index], stage); };
  through_stages(block, tiles.count(), fetch, [&](std::int32_t index, int stage) {
    const std::int32_t tile = tiles[index];
    const bool whole = is_whole(reach_of_tile(plan, runs, tile), plan.tile, first, plan.length);
    block.score_pairs(stage);
    block.each_pair([&](std::int32_t row, std::int32_t, float& score, float& dp) {
      dp = clipped_share(fmaf(score, scale_log2, -block.lse_log2(row))) * (dp - block.delta(row));
    });
    if (!whole) {
      block.each_pair([&](std::int32_t row, std::int32_t column, float&, float& dp) {
        if (!plan.sees(tile * plan.tile + column, first + row)) dp = 0.0F;
      });
    }
    block.add_query_gradient(stage);
  });
  block.write_query_gradient(query_block);
}

/// Adds one block of queries, whose dM the block holds, to the sums of one key.
template <class Values>
NATSCOPE_HD void add_role_sums(KeyRoleSums& sums, const TrainPlan& plan, std::int32_t place, std::int32_t first,
                               const Values& values) {
  const std::int32_t end = first + plan.tile;
  const auto up_to = [&](std::int32_t last) {
    float sum = 0;
    values([&](std::int32_t column, float dm) { sum += first + column <= last ? dm : 0.0F; });
    return sum;
  };
  float all = 0;
  values([&](std::int32_t, float dm) { all += dm; });
  const auto add = [&](float& sum, std::int32_t last) {
    if (last + 1 >= end) {
      sum += all;
    } else if (last >= first) {
      sum += up_to(last);
    }
  };
  sums.total += all;
  add(sums.to_next, plan.next_end[place]);
  add(sums.to_window, plan.window_end[place]);
  add(sums.to_second, plan.second_end[place]);
}

/// dk and dv of one tile of keys, summed over the query heads of its group, and its role sums. Here a row is a key and
/// a column a query: a key's sums run along a row, and weights turn into the left operand of the next product where
/// they are.
template <class Block>
NATSCOPE_HD void train_key_gradient_block(Block& block, const TrainPlan& plan, std::int32_t tile, int group,
                                          bool with_roles, float scale_log2) {
  const TileReach reach = reach_of_tile(plan, tile);
  if (reach.count == 0) return;
  const std::int32_t begin = reach.first_position / plan.tile;
  // Without role gradients nothing follows from what nobody sees.
  const std::int32_t end = with_roles ? plan.blocks() : reach.seen_by_any / plan.tile + 1;
  block.fetch_tile(tile);
  const auto fetch = [&](std::int32_t index, int stage) {
    const std::int32_t head = group == 1 ? 0 : index / (end - begin);
    block.fetch_rows(head, begin + index - head * (end - begin), stage);
  };
  through_stages(block, group * (end - begin), fetch, [&](std::int32_t index, int stage) {
    const std::int32_t first = (begin + (group == 1 ? index : index % (end - begin))) * plan.tile;
    block.score_pairs(stage);
    const bool later = reach.count == plan.tile && reach.last_position <= first;  // every pair is causal
    block.each_pair([&](std::int32_t, std::int32_t column, float& score, float& dp) {
      score = clipped_share(fmaf(score, scale_log2, -block.lse_log2(column, stage)));
      dp = score * (dp - block.delta(column, stage));
    });
    if (!later) {
      block.each_pair([&](std::int32_t row, std::int32_t column, float& score, float& dp) {
        if (plan.position[tile * plan.tile + row] > first + column) score = dp = 0.0F;
      });
    }
    if (with_roles) {
      block.each_row([&](std::int32_t row, KeyRoleSums& sums, const auto& values) {
        add_role_sums(sums, plan, tile * plan.tile + row, first, values);
      });
    }
    if (first > reach.seen_by_any) return;
    if (first + plan.tile - 1 > reach.seen_by_all) {
      block.each_pair([&](std::int32_t row, std::int32_t column, float& score, float& dp) {
        if (first + column > plan.last[tile * plan.tile + row]) score = dp = 0.0F;
      });
    }
    block.add_gradients(stage);
  });
  block.write_key_gradients(tile, with_roles);
}

/// What the locals that a global ends would have reached past it (cut[n] of the rules, section 6). They stand side by
/// side.
NATSCOPE_HD inline float cut_of_global(const TrainPlan& plan, std::int32_t place, const float* to_next,
                                       const float* to_second) {
  const PlaceRange locals = plan.runs[static_cast<int>(Role::local)];
  const std::int32_t n = plan.position[place];
  const std::int32_t before = place > plan.runs[static_cast<int>(Role::global)].begin ? plan.position[place - 1] : -1;
  float cut = 0;
  for (std::int32_t at = first_not_below(plan.position, locals, before); at < locals.end && plan.position[at] < n;
       ++at) {
    cut += to_second[at] - to_next[at];
  }
  return cut;
}

/// da_G, da_L, da_S of the key at a place, with the regulariser (equations 22 – 26). `sums` are [places] each.
NATSCOPE_HD inline void role_gradient(const TrainPlan& plan, std::int32_t place, const float* total,
                                      const float* to_next, const float* to_window, const float* to_second,
                                      double lambda, float* gradient) {
  const std::int32_t n = plan.position[place];
  const PlaceRange globals = plan.runs[static_cast<int>(Role::global)];
  const bool is_global = place >= globals.begin && place < globals.end;
  const float cut = is_global ? cut_of_global(plan, place, to_next, to_second) : 0.0F;
  const double length = plan.length;
  gradient[0] = static_cast<float>(static_cast<double>(total[place] - cut) + lambda * (length - n) / length);
  gradient[1] = static_cast<float>(static_cast<double>(to_next[place]) + lambda * (plan.next_end[place] - n) / length);
  gradient[2] = to_window[place];
}

}  // namespace natscope::kernels::cuda
