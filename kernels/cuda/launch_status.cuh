// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/status.h"

namespace natscope::kernels::cuda {

/// What the runtime said, as a status; `detail` is the runtime's own sentence. Asked and answered: the runtime keeps an
/// error until somebody takes it, and would blame it on whatever asks next.
[[nodiscard]] inline Status to_status(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  switch (error) {
    case cudaSuccess:
      return {};
    case cudaErrorMemoryAllocation:
      return {StatusCode::out_of_memory, "the GPU has no memory left"};
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorSystemNotReady:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorDevicesUnavailable:
      return {StatusCode::backend_unavailable, cudaGetErrorString(error)};
    default:
      return {StatusCode::invalid_argument, cudaGetErrorString(error)};
  }
}

/// Blocks for `count` items of `per_block` each.
[[nodiscard]] inline unsigned blocks_for(long long count, long long per_block) {
  return static_cast<unsigned>((count + per_block - 1) / per_block);
}

}  // namespace natscope::kernels::cuda
