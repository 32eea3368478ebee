// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/cuda/launch_status.cuh"

/// How kernels are started: by a call, not by nvcc's <<<…>>>, so that the same sources compile where no CUDA is
/// (tests/cuda_on_host), and a refused launch is this launch's.
namespace natscope::kernels::cuda {

/// The start of a block's shared memory of launch-time size, aligned to 1024 bytes (warpgroup_instructions.cuh).
#ifdef __CUDACC__
[[nodiscard]] __device__ inline void* shared_memory() {
  extern __shared__ __align__(1024) uint4 natscope_shared_memory[];
  return natscope_shared_memory;
}
#else
[[nodiscard]] inline void* shared_memory() { return cuda_on_host::shared_memory(); }
#endif

[[nodiscard]] inline cudaLaunchConfig_t launch_config(dim3 grid, dim3 block, std::size_t shared_bytes,
                                                      cudaStream_t stream) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return config;
}

/// kernel<<<grid, block, shared_bytes, stream>>>(arguments…), and whether it was accepted. What the kernel does wrong
/// shows at the next synchronize.
template <class... Parameters, class... Arguments>
[[nodiscard]] Status launch_kernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
                                   cudaStream_t stream, const Arguments&... arguments) {
  const cudaLaunchConfig_t config = launch_config(grid, block, shared_bytes, stream);
  return to_status(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

/// Kernels of a step follow each other closely: from compute capability 9.0 on, one may begin before those ahead of it
/// have ended, as long as it reads only what none of them writes (weights) before wait_for_earlier().
/// Source: CUDA programming guide, "Programmatic Dependent Launch and Synchronization".
///
/// Every thread of a kernel that launch_dependent() starts calls this once, before it reads or writes anything but
/// constants: from here on all earlier work of the stream is done. A kernel that ended without it would let those
/// behind it run too early.
__device__ inline void wait_for_earlier() {
#if !defined(__CUDACC__) || __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();  // the next one may come and wait in turn
#endif
}

/// As launch_kernel, for a kernel that calls wait_for_earlier().
template <class... Parameters, class... Arguments>
[[nodiscard]] Status launch_dependent(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
                                      cudaStream_t stream, const Arguments&... arguments) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = launch_config(grid, block, shared_bytes, stream);
  // Code for an older GPU, compiled anew by the driver for this one, has no wait in it.
  cudaFuncAttributes compiled{};
  if (const Status status = to_status(cudaFuncGetAttributes(&compiled, reinterpret_cast<const void*>(kernel)));
      !status.ok()) {
    return status;
  }
  if (compiled.ptxVersion >= 90) {
    config.attrs = &attribute;
    config.numAttrs = 1;
  }
  return to_status(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

}  // namespace natscope::kernels::cuda
