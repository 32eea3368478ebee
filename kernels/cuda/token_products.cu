// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/token_products.h"

#include <algorithm>

#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/linear_loops.h"
#include "kernels/cuda/row_math.cuh"
#include "kernels/cuda/tile_launch.cuh"
#include "kernels/cuda/token_rows.h"

namespace natscope::kernels::cuda {

namespace {

/// Warps of a block at most, and blocks that a multiprocessor's registers take at least.
template <int pieces>
struct TokenBlock {
  static constexpr int warps = TokenPlan::usual_warps;
  static constexpr int resident = pieces == 1 ? 4 : 3;
};
template <>
struct TokenBlock<3> {
  static constexpr int warps = TokenPlan::single_warps;
  static constexpr int resident = 5;
};
template <>
struct TokenBlock<TokenPlan::most_pieces> {
  static constexpr int warps = TokenPlan::most_splits;
  static constexpr int resident = 1;
};

/// Where the two rows of a group go, for one thread: what stands there is read while the weights are on their way.
class TokenGroup {
 public:
  __device__ TokenGroup(const TokenProducts& call, const TokenRows& rows, std::int32_t group)
      : call_(call), group_(group) {
#pragma unroll
    for (int which = 0; which < token_rows_at_once; ++which) {
      const TokenRow at = rows.row(group, which);
      if (at.product < 0) continue;
      const LinearRow& product = call.products[at.product];
      if (product.bias != nullptr) bias_[which] = product.bias[at.row];
      if (call.into == TokenProducts::Into::gate) continue;
      out_[which] = product.out + at.row;
      if (call.into == TokenProducts::Into::sum) before_[which] = *out_[which];
    }
  }
  __device__ void write(float first, float second) const {
    const float sums[token_rows_at_once] = {first + bias_[0], second + bias_[1]};
    if (call_.into == TokenProducts::Into::gate) {
      call_.products[0].out[group_] = gated(sums[0], sums[1], call_.round);
      return;
    }
#pragma unroll
    for (int which = 0; which < token_rows_at_once; ++which) {
      if (out_[which] != nullptr) *out_[which] = before_[which] + sums[which];
    }
  }

 private:
  const TokenProducts& call_;
  const std::int32_t group_;
  float bias_[token_rows_at_once] = {};
  float before_[token_rows_at_once] = {};
  float* out_[token_rows_at_once] = {};
};

/// A lane's part of x stays in registers where a row takes one round, and so does the part of every row of weights that
/// is multiplied next: it is on its way while sums are added up, and the first one before x is known.
template <class Weight, int piece, int pieces>
__global__ void __launch_bounds__(TokenBlock<pieces>::warps * 32, TokenBlock<pieces>::resident)
    token_products_kernel(__grid_constant__ const TokenProducts call, __grid_constant__ const TokenRows all,
                          __grid_constant__ const TokenPlan plan) {
  constexpr int rows = token_rows_at_once;
  __shared__ float of_warp[2][rows][TokenBlock<pieces>::warps];
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int team = warp / plan.splits;
  const int split = warp - team * plan.splits;
  const auto in_size = static_cast<std::int32_t>(call.products[0].in_size);
  const std::int32_t own_first = split * (32 * piece * pieces);
  const std::int32_t round_columns = plan.splits * (32 * piece * pieces);
  const std::int32_t rounds = pieces == TokenPlan::most_pieces ? plan.rounds : 1;  // more only where lanes are full
  const TokenPlan::Share share =
      plan.share(static_cast<std::int32_t>(blockIdx.x), static_cast<std::int32_t>(gridDim.x));

  LanePieces<piece, pieces, Weight> weights[rows] = {};
  const auto read_weights = [&](std::int32_t group, std::int32_t first) {
#pragma unroll
    for (int which = 0; which < rows; ++which) {
      const TokenRow at = all.row(group, which);
      if (at.product < 0) continue;
      const auto* const weight = static_cast<const Weight*>(call.products[at.product].weight);
      weights[which].read(lane, weight + std::int64_t{at.row} * in_size, first, in_size);
    }
  };
  LaneNumbers<piece, pieces> x;
  float scale = 0;
  const auto norm_x = [&](std::int32_t first) {
    LaneNumbers<piece, pieces> norm;
    norm.read(lane, call.norm, first, in_size);
#pragma unroll
    for (int i = 0; i < piece * pieces; ++i) x.numbers[i] = x.numbers[i] * scale * norm.numbers[i];
    if (!call.round) return;
#pragma unroll
    for (int i = 0; i < piece * pieces; ++i) x.numbers[i] = stored(x.numbers[i], true);
  };

  if (share.begin + team < share.end) read_weights(share.begin + team, own_first);
  if (call.norm != nullptr) LaneNumbers<piece, pieces>::touch(lane, call.norm, own_first, in_size);
  wait_for_earlier();
  x.read(lane, call.x, own_first, in_size);
  if (call.norm != nullptr) {
    float squares = x.squares();
    for (std::int32_t round = 1; round < rounds; ++round) {
      LaneNumbers<piece, pieces> more;
      more.read(lane, call.x, own_first + round * round_columns, in_size);
      squares += more.squares();
    }
    squares = warp_sum(squares);
    if (plan.splits > 1) {
      if (lane == 0) of_warp[1][0][warp] = squares;
      __syncthreads();
      squares = 0;
      for (int part = 0; part < plan.splits; ++part) squares += of_warp[1][0][team * plan.splits + part];
    }
    scale = 1.0F / sqrtf(squares / static_cast<float>(in_size) + call.eps);
    norm_x(own_first);
  }

  // As often in all teams of a block, which wait for each other.
  const std::int32_t count = (share.end - share.begin + plan.teams - 1) / plan.teams;
  for (std::int32_t index = 0; index < count; ++index) {
    const std::int32_t group = share.begin + team + index * plan.teams;
    const bool writes = group < share.end && split == 0 && lane == 0;
    const TokenGroup written(call, all, writes ? group : all.groups);
    float sums[rows] = {};
    for (std::int32_t round = 0; round < rounds; ++round) {
      if (rounds > 1 && index + round > 0) {
        const std::int32_t first = own_first + round * round_columns;
        x.read(lane, call.x, first, in_size);
        if (call.norm != nullptr) norm_x(first);
      }
#pragma unroll
      for (int which = 0; which < rows; ++which) weights[which].multiply(x, sums[which]);
      const bool last = round + 1 == rounds;
      const std::int32_t next = last ? group + plan.teams : group;
      if (next < share.end) read_weights(next, last ? own_first : own_first + (round + 1) * round_columns);
    }
#pragma unroll
    for (int which = 0; which < rows; ++which) sums[which] = warp_sum(sums[which]);
    if (plan.splits > 1) {
      // Two places, taken in turn: who writes one again has waited since everybody read it.
      auto& sums_of = of_warp[index % 2];
      if (lane == 0) {
#pragma unroll
        for (int which = 0; which < rows; ++which) sums_of[which][warp] = sums[which];
      }
      __syncthreads();
      if (writes) {
#pragma unroll
        for (int which = 0; which < rows; ++which) {
          sums[which] = 0;
          for (int part = 0; part < plan.splits; ++part) sums[which] += sums_of[which][warp + part];
        }
      }
    }
    if (writes) written.write(sums[0], sums[1]);
  }
}

template <class Weight, int piece, int pieces>
Status launch(const TokenProducts& call, const TokenRows& rows, const TokenPlan& plan, std::int64_t processors,
              Stream stream) {
  const auto kernel = token_products_kernel<Weight, piece, pieces>;
  const int threads = plan.warps() * 32;
  std::int64_t resident = 0;
  if (const Status status = resident_blocks(kernel, threads, 0, resident); !status.ok()) return status;
  const auto blocks = static_cast<unsigned>(plan.blocks(processors, resident / processors));
  return launch_dependent(kernel, blocks, static_cast<unsigned>(threads), 0, stream, call, rows, plan);
}

template <class Weight, int piece>
Status launch(const TokenProducts& call, Stream stream) {
  std::int64_t processors = 0;
  if (const Status status = multiprocessors(processors); !status.ok()) return status;
  const TokenRows rows(call);
  const TokenPlan plan(rows.groups, call.products[0].in_size, piece);
  switch (plan.pieces) {
    case 1:
      return launch<Weight, piece, 1>(call, rows, plan, processors, stream);
    case 2:
      return launch<Weight, piece, 2>(call, rows, plan, processors, stream);
    case 3:
      return launch<Weight, piece, 3>(call, rows, plan, processors, stream);
    default:
      return launch<Weight, piece, TokenPlan::most_pieces>(call, rows, plan, processors, stream);
  }
}

template <class Weight>
Status launch(const TokenProducts& call, Stream stream) {
  constexpr int whole = 16 / static_cast<int>(sizeof(Weight));
  const auto starts_whole = [](const float* row) { return reinterpret_cast<std::uintptr_t>(row) % 16 == 0; };
  bool in_pieces = starts_whole(call.x) && starts_whole(call.norm);
  for (std::int32_t product = 0; product < call.count; ++product) {
    const LinearRow& of = call.products[product];
    in_pieces = in_pieces && linear_piece<Weight>(of.in_size, reinterpret_cast<std::uintptr_t>(of.weight)) == whole;
  }
  return in_pieces ? launch<Weight, whole>(call, stream) : launch<Weight, 1>(call, stream);
}

}  // namespace

Status token_products(const TokenProducts& call, Stream stream) {
  if (call.count < 1 || call.count > TokenProducts::most) return {StatusCode::invalid_argument, "products: 1 to 4"};
  if (call.products[0].in_size > TokenPlan::most_in_size) return {StatusCode::unsupported_shape, "products: in_size"};
  std::int64_t rows = 0;
  for (std::int32_t product = 0; product < call.count; ++product) {
    if (call.products[product].dtype == ElementType::f16)
      return {StatusCode::unsupported_dtype, "weights: f32 or bf16"};
    rows += call.products[product].out_size;
  }
  if (rows > TokenRows::most) return {StatusCode::unsupported_shape, "products: out_size"};
  for (std::int32_t product = 1; product < call.count; ++product) {
    if (call.products[product].in_size != call.products[0].in_size)
      return {StatusCode::shape_mismatch, "products of one row: one in_size"};
  }
  if (call.into == TokenProducts::Into::gate) {
    if (call.count != 2) return {StatusCode::invalid_argument, "gate: two products"};
    if (call.products[0].out_size != call.products[1].out_size)
      return {StatusCode::shape_mismatch, "gate: two products of one out_size"};
    if (end_of_run(call, 0) != 2) return {StatusCode::unsupported_dtype, "gate: weights of two types"};
  }
  for (std::int32_t begin = 0; begin < call.count;) {
    const std::int32_t end = end_of_run(call, begin);
    TokenProducts run = call;
    run.count = end - begin;
    std::copy(call.products + begin, call.products + end, run.products);
    begin = end;
    if (TokenRows(run).groups < 1) continue;
    const Status status =
        run.products[0].dtype == ElementType::f32 ? launch<float>(run, stream) : launch<Bf16>(run, stream);
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace natscope::kernels::cuda
