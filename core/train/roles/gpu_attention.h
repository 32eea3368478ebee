// SPDX-License-Identifier: GPL-3.0-or-later
/// The training attention of the GPU's module. Private to core/train.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "core/base/expected.h"
#include "core/device/device_module.h"
#include "core/train/roles/training_attention.h"

namespace natscope::train {

/// What of a model decides whether a GPU can train it.
struct TrainingHeads {
  std::int64_t head_dim = 0;
  kernels::ElementType dtype = kernels::ElementType::f32;  ///< of products
};

/// Errors: device_unavailable (they do not fit this GPU).
[[nodiscard]] Expected<void> check_training_heads(const DeviceModule& module, const TrainingHeads& heads);

/// For tensors of LibTorch's first CUDA device, for these heads where they are known. Loads LibTorch's CUDA and the
/// module. Errors: device_unavailable (a LibTorch without CUDA, no module, no GPU, one that cannot take the heads),
/// out_of_memory.
[[nodiscard]] Expected<std::unique_ptr<TrainingAttention>> open_gpu_attention(
    const std::optional<TrainingHeads>& heads = {});

}  // namespace natscope::train
