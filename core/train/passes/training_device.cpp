// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/training_device.h"

#include "core/device/torch_errors.h"
#include "core/train/ranks/gpu_of_rank.h"
#include "core/train/roles/gpu_attention.h"

namespace natscope::train {

Expected<void> prepare_device(Device wanted, const RankGroup& ranks) {
  if (wanted == Device::cpu || (wanted == Device::automatic && !DeviceModule::is_there({}))) return {};
  if (const auto taken = take_gpu_of_rank(ranks); !taken) {
    if (wanted == Device::cuda) return taken;
    hide_gpus();  // too few for all ranks are none
  }
  if (wanted != Device::cuda) return {};
  return without_exceptions({"no memory on the GPU", "use --device cpu"}, []() -> Expected<void> {
    NATSCOPE_CHECK(open_gpu_attention());
    return {};
  });
}

Expected<std::unique_ptr<TrainingAttention>> open_training_attention(PassesOn passes, kernels::Backend backend,
                                                                     std::int64_t head_dim,
                                                                     kernels::ElementType dtype) {
  if (passes != PassesOn::gpu) return std::make_unique<HostTrainingAttention>(backend);
  return open_gpu_attention(TrainingHeads{head_dim, dtype});
}

}  // namespace natscope::train
