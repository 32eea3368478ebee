// SPDX-License-Identifier: GPL-3.0-or-later
/// A trained model as a Hugging Face folder that ModelFolder, and transformers' Llama, open.
#pragma once

#include <filesystem>
#include <span>

#include "core/base/expected.h"
#include "core/model/config.h"
#include "core/train/options/train_options.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

/// Writes tokenizer.model, model.safetensors (bf16 or f32), generation_config.json and, last, config.json into `out`,
/// which is made when it is not there. Each file is whole or not there; a folder without config.json is no model.
///   weights [layout.size], the f32 master weights
///   policy  the fixed mask of the training, or `model` or `full`. A fixed mask is recorded as
///           `"natscope": {"training_policy": "window:16"}`, the text that `eval --policy` takes.
/// Errors: those of writing files.
[[nodiscard]] Expected<void> export_model(const std::filesystem::path& out, const ModelConfig& config,
                                          const ParameterLayout& layout, std::span<const float> weights,
                                          kernels::ElementType dtype, const std::filesystem::path& tokenizer,
                                          const Policy& policy);

}  // namespace natscope::train
