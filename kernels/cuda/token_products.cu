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

constexpr int threads = 256;
constexpr int warps = threads / 32;

template <class Weight, int piece>
__global__ void __launch_bounds__(threads) token_products_kernel(__grid_constant__ const TokenProducts call) {
  auto* const normed = static_cast<float*>(shared_memory());
  const int lane = static_cast<int>(threadIdx.x % 32);
  const std::int64_t in_size = call.products[0].in_size;
  const TokenRows rows(call);
  const std::int64_t first_group = static_cast<std::int64_t>(blockIdx.x) * warps + threadIdx.x / 32;
  LanePieces<piece, Weight> pieces[token_rows_at_once];
  const auto read = [&](const TokenRow& row, std::int64_t first, int which) {
    if (row.product < 0) return;
    const auto* const weight = static_cast<const Weight*>(call.products[row.product].weight);
    pieces[which].read(lane, weight + row.row * in_size, first, in_size);
  };
  if (first_group < rows.groups) {
#pragma unroll
    for (int which = 0; which < token_rows_at_once; ++which) read(rows.row(first_group, which), 0, which);
  }
  wait_for_earlier();
  const float* x = call.x;
  if (call.norm != nullptr) {
    norm_row<threads>(call.x, call.norm, in_size, call.eps, call.round, normed);
    __syncthreads();
    x = normed;
  }

  for (std::int64_t group = first_group; group < rows.groups; group += static_cast<std::int64_t>(gridDim.x) * warps) {
    TokenRow row[token_rows_at_once];
    float sums[token_rows_at_once] = {};
#pragma unroll
    for (int which = 0; which < token_rows_at_once; ++which) row[which] = rows.row(group, which);
    for (std::int64_t first = 0; first < in_size; first += LanePieces<piece, Weight>::columns) {
      if (first > 0 || group != first_group) {
#pragma unroll
        for (int which = 0; which < token_rows_at_once; ++which) read(row[which], first, which);
      }
#pragma unroll
      for (int which = 0; which < token_rows_at_once; ++which) {
        if (row[which].product >= 0) pieces[which].multiply(lane, x, first, in_size, sums[which]);
      }
    }
#pragma unroll
    for (int which = 0; which < token_rows_at_once; ++which) {
      sums[which] = warp_sum(sums[which]);
      if (row[which].product < 0) continue;
      const float* const bias = call.products[row[which].product].bias;
      if (bias != nullptr) sums[which] += bias[row[which].row];
    }
    if (lane != 0) continue;
    if (call.into == TokenProducts::Into::gate) {
      call.products[0].out[group] = gated(sums[0], sums[1], call.round);
      continue;
    }
#pragma unroll
    for (int which = 0; which < token_rows_at_once; ++which) {
      if (row[which].product < 0) continue;
      float& out = call.products[row[which].product].out[row[which].row];
      out = call.into == TokenProducts::Into::sum ? out + sums[which] : sums[which];
    }
  }
}

template <class Weight, int piece>
Status launch(const TokenProducts& call, Stream stream) {
  const auto kernel = token_products_kernel<Weight, piece>;
  const std::int64_t shared_bytes =
      call.norm != nullptr ? call.products[0].in_size * static_cast<std::int64_t>(sizeof(float)) : 0;
  std::int64_t most_bytes = 0;
  if (const Status status = most_shared_bytes(most_bytes); !status.ok()) return status;
  constexpr std::int64_t own_bytes = 1024;  // the kernel's other shared memory, and what the system keeps for itself
  if (shared_bytes + own_bytes > most_bytes)
    return {StatusCode::unsupported_shape, "a normed row that this GPU's shared memory does not take"};
  std::int64_t resident = 0;
  if (const Status status = resident_blocks(kernel, threads, shared_bytes, resident); !status.ok()) return status;
  const std::int64_t wanted = (TokenRows(call).groups + warps - 1) / warps;
  const auto blocks = static_cast<unsigned>(std::min(wanted, std::max<std::int64_t>(resident, 1)));
  return launch_dependent(kernel, blocks, threads, static_cast<std::size_t>(shared_bytes), stream, call);
}

template <class Weight>
Status launch(const TokenProducts& call, Stream stream) {
  constexpr int whole = 16 / static_cast<int>(sizeof(Weight));
  bool in_pieces = reinterpret_cast<std::uintptr_t>(call.x) % 16 == 0;
  for (std::int32_t product = 0; product < call.count; ++product) {
    const LinearRow& of = call.products[product];
    in_pieces = in_pieces && linear_piece<Weight>(of.in_size, reinterpret_cast<std::uintptr_t>(of.weight)) == whole;
  }
  return in_pieces ? launch<Weight, whole>(call, stream) : launch<Weight, 1>(call, stream);
}

}  // namespace

Status token_products(const TokenProducts& call, Stream stream) {
  if (call.count < 1 || call.count > TokenProducts::most) return {StatusCode::invalid_argument, "products: 1 to 4"};
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
