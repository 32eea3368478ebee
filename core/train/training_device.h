// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the passes of a training run are computed, and what is done where that cannot be.
#pragma once

#include <functional>
#include <string>

#include "core/base/expected.h"
#include "core/engine/device_module.h"
#include "core/train/train_options.h"

namespace natscope::train {

/// What passes run on. `gpu`: LibTorch's operations with its CUDA, attention by the GPU's module. `libtorch`: the same
/// operations in ordinary memory, with the CPU's attention: how the GPU's passes are tested where there is none.
enum class PassesOn { cpu, libtorch, gpu };

/// Whether passes can be computed there, before anything is read for them. Errors: device_unavailable, out_of_memory.
[[nodiscard]] Expected<void> can_run(PassesOn passes);

/// What `make(PassesOn)` gives for the device that is wanted. With `any` the CPU computes where the GPU cannot, and
/// `say` is told of either where there is a GPU backend. Errors: usage (several ranks on a GPU), those of `make`.
template <class Make>
auto make_on(TrainDevice wanted, int ranks, const std::function<void(const std::string&)>& say, const Make& make)
    -> decltype(make(PassesOn::cpu)) {
  if (wanted == TrainDevice::cpu) return make(PassesOn::cpu);
  if (ranks > 1) {
    if (wanted == TrainDevice::any) return make(PassesOn::cpu);
    return fail(ErrorCode::usage, "several ranks share their sums in the host's memory: they train on CPUs so far",
                "use --device cpu, or one process");
  }
  if (wanted == TrainDevice::any && !DeviceModule::is_there({})) return make(PassesOn::cpu);
  auto on_gpu = make(PassesOn::gpu);
  if (on_gpu) say("training on the GPU");
  if (on_gpu || wanted == TrainDevice::gpu) return on_gpu;
  say("training on the CPU: " + on_gpu.error().message);
  return make(PassesOn::cpu);
}

}  // namespace natscope::train
