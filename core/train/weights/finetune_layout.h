// SPDX-License-Identifier: GPL-3.0-or-later
/// Which tensors a fine-tuning run trains, and where they stand in its flat arrays.
#pragma once

#include "core/model/config.h"
#include "core/train/options/finetune_options.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

/// The trained tensors, under the names that an adapter folder (or, with Trained::all, a model folder) stores.
[[nodiscard]] ParameterLayout finetune_layout(const ModelConfig& base, const FinetuneOptions& options);

}  // namespace natscope::train
