// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/token_heads.h"

#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/row_math.cuh"
#include "kernels/prescribed_role.h"

namespace natscope::kernels::cuda {

namespace {

constexpr int threads = 128;
constexpr int warps = threads / 32;

/// A warp a query head, a key, a value; the last one decides roles.
__global__ void __launch_bounds__(threads) token_heads_kernel(__grid_constant__ const TokenHeads call) {
  wait_for_earlier();
  std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * warps + threadIdx.x / 32;
  const auto lane = static_cast<std::int64_t>(threadIdx.x % 32);
  const auto turn = [&](float* heads, const float* norm) {
    turn_head(heads + index * call.head_dim, norm, call.cosine, call.sine, call.head_dim, call.rotated, call.eps,
              call.round);
  };
  if (index < call.heads) return turn(call.queries, call.q_norm);
  index -= call.heads;
  if (index < call.kv_heads) return turn(call.keys, call.k_norm);
  index -= call.kv_heads;
  if (index < call.kv_heads) {
    float* const value = call.values + index * call.head_dim;
    for (std::int64_t i = lane; i < call.head_dim && call.round; i += 32) value[i] = stored(value[i], true);
    return;
  }
  if (index > call.kv_heads) return;
  for (std::int64_t head = lane; head < call.kv_heads; head += 32)
    call.roles[head] = role_of(call.prescribed[head], call.scores + role_count * head, call.global_bias);
}

}  // namespace

Status token_heads(const TokenHeads& call, Stream stream) {
  if (call.heads < 1 || call.kv_heads < 1 || call.head_dim < 2 || call.rotated < 0 || call.rotated > call.head_dim)
    return {StatusCode::shape_mismatch, "heads, kv_heads, head_dim, rotated"};
  const std::int64_t tasks = std::int64_t{call.heads} + 2 * std::int64_t{call.kv_heads} + 1;
  return launch_dependent(token_heads_kernel, blocks_for(tasks, warps), threads, 0, stream, call);
}

}  // namespace natscope::kernels::cuda
