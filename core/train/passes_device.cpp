// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes_device.h"

#include <utility>

#include "core/train/gpu_attention.h"
#include "core/train/ranks/gpu_of_rank.h"
#include "core/train/torch_errors.h"

namespace natscope::train {

Expected<PassesDevice> open_passes_device(PassesOn passes, kernels::Backend backend) {
  if (passes != PassesOn::gpu) return PassesDevice{at::kCPU, std::make_unique<HostTrainingAttention>(backend)};
  NATSCOPE_TRY(auto attention, open_gpu_attention());
  return PassesDevice{at::kCUDA, std::move(attention)};
}

Expected<void> prepare_device(TrainDevice wanted, const RankGroup& ranks) {
  if (wanted == TrainDevice::cpu || (wanted == TrainDevice::any && !DeviceModule::is_there({}))) return {};
  NATSCOPE_CHECK(take_gpu_of_rank(ranks));
  if (wanted != TrainDevice::gpu) return {};
  return without_exceptions({"no memory on the GPU", "use --device cpu"}, []() -> Expected<void> {
    NATSCOPE_CHECK(open_gpu_attention());
    return {};
  });
}

}  // namespace natscope::train
