// SPDX-License-Identifier: GPL-3.0-or-later
/// The training attention of the GPU's module. Private to core/train.
#pragma once

#include <memory>

#include "core/base/expected.h"
#include "core/train/roles/training_attention.h"

namespace natscope::train {

/// For tensors of LibTorch's first CUDA device. Loads LibTorch's CUDA and the module.
/// Errors: device_unavailable (a LibTorch without CUDA, no module, no GPU), out_of_memory.
[[nodiscard]] Expected<std::unique_ptr<TrainingAttention>> open_gpu_attention();

}  // namespace natscope::train
