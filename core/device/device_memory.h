// SPDX-License-Identifier: GPL-3.0-or-later
/// Memory of a GPU's module beside LibTorch's. Private to core.
#pragma once

#include "core/device/device_module.h"
#include "core/device/torch_cuda.h"

namespace natscope {

/// What `call` says; where it finds no memory left, what it says once LibTorch has given back what it holds and nobody
/// uses. All that was put onto the module's stream is done by then. A call that finds none must leave all as it was.
/// Never between begin_recording and end_recording.
template <class Call>
[[nodiscard]] kernels::Status with_idle_memory(const DeviceModule& module, const Call& call) {
  const kernels::Status status = call();
  if (status.code != kernels::StatusCode::out_of_memory) return status;
  if (const kernels::Status waited = module.operations().wait(module.device()); !waited.ok()) return waited;
  release_torch_memory();
  return call();
}

}  // namespace natscope
