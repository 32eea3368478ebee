// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/launch_status.cuh"

/// Kernels of a step follow each other closely: from compute capability 9.0 on, one may begin before those ahead of it
/// have ended, as long as it reads only what none of them writes (weights) before wait_for_earlier().
/// Source: CUDA programming guide, "Programmatic Dependent Launch and Synchronization".
namespace natscope::kernels::cuda {

/// Every thread of a kernel that launch_dependent() starts calls this once, before it reads or writes anything but
/// constants: from here on all earlier work of the stream is done. A kernel that ended without it would let those
/// behind it run too early.
__device__ inline void wait_for_earlier() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();  // the next one may come and wait in turn
#endif
}

/// kernel<<<grid, block, shared_bytes, stream>>>(args…), as a kernel that calls wait_for_earlier().
template <class... Parameters, class... Arguments>
[[nodiscard]] Status launch_dependent(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
                                      cudaStream_t stream, const Arguments&... arguments) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
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
  return to_status(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...));
}

}  // namespace natscope::kernels::cuda
