// SPDX-License-Identifier: GPL-3.0-or-later
/// What a fine-tuning run learned, as a folder that opens: section 10 of the rules.
#pragma once

#include <filesystem>
#include <span>

#include "core/base/expected.h"
#include "core/io/model_folder.h"
#include "core/train/options/finetune_options.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

/// adapter.safetensors (f32) and, last, adapter_config.json with base_model, the nats block and LoRA's rank, alpha and
/// targets; with Trained::all a whole model folder in f32 or bf16 (which a base in f16 becomes), with the base's
/// tokenizer, under its config with a nats block.
///   weights [layout.size]
/// Errors: those of reading the base's files and of writing.
[[nodiscard]] Expected<void> export_finetuned(const std::filesystem::path& out, const ModelFolder& base,
                                              const FinetuneOptions& options, const ParameterLayout& layout,
                                              std::span<const float> weights);

}  // namespace natscope::train
