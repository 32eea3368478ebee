// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/weights_of_model.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "core/io/model_folder.h"
#include "core/train/weights/base_tensors.h"

namespace natscope::train {

namespace {

/// Keys of config.json that need not agree: they change no product of weights that both have.
constexpr auto free_keys = std::to_array<const char*>(
    {"nats", "max_position_embeddings", "bos_token_id", "eos_token_id", "torch_dtype", "dtype"});

/// The first key that the two say differently; empty: none.
std::string difference(const ModelConfig& model, const ModelConfig& run) {
  const nlohmann::json there = model_config_json(model);
  const nlohmann::json here = model_config_json(run);
  for (const auto& [key, value] : here.items()) {
    if (std::find(free_keys.begin(), free_keys.end(), key) != free_keys.end()) continue;
    if (!there.contains(key) || there[key] != value)
      return key + " is " + (there.contains(key) ? there[key].dump() : "not set") + " there and " + value.dump() +
             " here";
  }
  return {};
}

}  // namespace

Expected<void> read_weights_of_model(const std::filesystem::path& folder, const ModelConfig& config,
                                     const ParameterLayout& layout, std::span<float> weights) {
  NATSCOPE_TRY(const ModelFolder model, ModelFolder::open(folder));
  if (const std::string what = difference(model.config(), config); !what.empty()) {
    // There is no flag for this one.
    const bool is_untied = what.starts_with("tie_word_embeddings");
    return fail(ErrorCode::bad_config, "--init " + printable(folder.string()) + ": " + what,
                is_untied ? "training from scratch makes models with tied embeddings only: begin with one of them, or "
                            "train this one with finetune"
                          : "describe the run's model as that one is");
  }
  const ModelTensors stored = stored_tensors(model.weights());
  for (const Parameter& p : layout.parameters) {
    const at::Tensor* from = stored.find(p.name);
    if (from == nullptr || !from->defined()) continue;
    const at::Tensor values = from->to(at::kFloat).contiguous();
    std::copy_n(values.const_data_ptr<float>(), p.elements, weights.begin() + p.offset);
  }
  return {};
}

}  // namespace natscope::train
