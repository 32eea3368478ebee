// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/training_device.h"

#include "core/train/passes/torch_errors.h"
#include "core/train/ranks/gpu_of_rank.h"
#include "core/train/roles/gpu_attention.h"

namespace natscope::train {

Expected<void> prepare_device(TrainDevice wanted, const RankGroup& ranks) {
  if (wanted == TrainDevice::cpu || (wanted == TrainDevice::any && !DeviceModule::is_there({}))) return {};
  if (const auto taken = take_gpu_of_rank(ranks); !taken) {
    if (wanted == TrainDevice::gpu) return taken;
    hide_gpus();  // too few for all ranks are none
  }
  if (wanted != TrainDevice::gpu) return {};
  return without_exceptions({"no memory on the GPU", "use --device cpu"}, []() -> Expected<void> {
    NATSCOPE_CHECK(open_gpu_attention());
    return {};
  });
}

}  // namespace natscope::train
