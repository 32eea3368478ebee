// SPDX-License-Identifier: GPL-3.0-or-later
/// An adapter folder: score layers and LoRA factors for a base model. Private to core/io.
#pragma once

#include <filesystem>
#include <string>

#include "core/base/expected.h"
#include "core/io/model_folder.h"
#include "core/io/weight_files.h"

namespace natscope {

struct Adapter {
  AdapterConfig config;
  WeightFiles weights;
  bool has_score_layers = false;
};

/// Reads `adapter_config.json` alone. Errors: bad_adapter, file_not_found, not_a_regular_file, io_failure.
[[nodiscard]] Expected<AdapterConfig> read_adapter_config(const std::filesystem::path& folder);

/// Opens the folder; every tensor's name must be one that `base` has a place for (shapes are checked when they are
/// bound). Errors: those above, bad_safetensors.
[[nodiscard]] Expected<Adapter> open_adapter(const std::filesystem::path& folder, const ModelConfig& base);

/// "model.layers.3.self_attn.q_proj.lora_a"; `factor` is 'a' or 'b'.
[[nodiscard]] std::string lora_name(int layer, const std::string& target, char factor);

/// The tensor that an adapter stores as `name`, a score layer's or LoRA factor's: without the leading "model." too, and
/// a factor with torchtune's ".weight" behind it, as in the public adapter (the rules, section 9). nullptr when absent.
[[nodiscard]] const TensorInfo* find_adapter_tensor(const WeightFiles& weights, const std::string& name);

}  // namespace natscope
