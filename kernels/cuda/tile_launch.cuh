// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/launch_status.cuh"
#include "kernels/cuda/tile_math.cuh"
#include "kernels/element_type.h"

/// What launches of kernels over tiles share: which instance, and how much shared memory.
namespace natscope::kernels::cuda {

/// f(Element, integral constant of dim) for a tile of `dim` columns of what is stored: 64, 128 or 256.
template <class F>
Status with_shape(ElementType dtype, std::int64_t dim, const F& f) {
  const auto with_dim = [&](auto element) {
    if (dim == 64) return f(element, std::integral_constant<int, 64>());
    if (dim == 128) return f(element, std::integral_constant<int, 128>());
    return f(element, std::integral_constant<int, 256>());
  };
  return dtype == ElementType::bf16 ? with_dim(Bf16Element()) : with_dim(0.0F);
}

inline constexpr Status too_little_shared_memory{StatusCode::unsupported_shape,
                                                 "this GPU's shared memory is too small for heads of this size"};

/// What a block of the current device may ask for.
[[nodiscard]] inline Status most_shared_bytes(std::int64_t& bytes) {
  int device = 0;
  int most = 0;
  if (const Status status = to_status(cudaGetDevice(&device)); !status.ok()) return status;
  const Status status = to_status(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  bytes = most;
  return status;
}

/// That much, or what was allowed before where that is more: the limit is the kernel's, whoever launches it, and what
/// was recorded with more is still to be launched.
template <class Kernel>
[[nodiscard]] Status allow_shared_bytes(Kernel kernel, std::int64_t bytes) {
  cudaFuncAttributes attributes{};
  if (const Status status = to_status(cudaFuncGetAttributes(&attributes, kernel)); !status.ok()) return status;
  if (bytes <= attributes.maxDynamicSharedSizeBytes) return {};
  return to_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
}

[[nodiscard]] inline Status multiprocessors(std::int64_t& count) {
  int device = 0;
  int processors = 0;
  if (const Status status = to_status(cudaGetDevice(&device)); !status.ok()) return status;
  const Status status = to_status(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  count = processors;
  return status;
}

/// As many blocks as run at the same time on the current device; 0 where not even one does. Allows the shared memory.
template <class Kernel>
[[nodiscard]] Status resident_blocks(Kernel kernel, int threads, std::int64_t shared_bytes, std::int64_t& blocks) {
  if (const Status status = allow_shared_bytes(kernel, shared_bytes); !status.ok()) return status;
  std::int64_t processors = 0;
  int each = 0;
  if (const Status status = multiprocessors(processors); !status.ok()) return status;
  const Status status = to_status(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kernel, threads, static_cast<std::size_t>(shared_bytes)));
  blocks = processors * each;
  return status;
}

}  // namespace natscope::kernels::cuda
