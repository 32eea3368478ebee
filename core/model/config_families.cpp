// SPDX-License-Identifier: GPL-3.0-or-later
// What one family has and no other: SmolLM3's layers without positions, Granite's multipliers.
#include <nlohmann/json.hpp>

#include "core/model/config_checks.h"

namespace natscope {

using Json = nlohmann::json;

Expected<std::vector<bool>> read_rotated_layers(const ConfigReader& read, const ModelConfig& config) {
  std::vector<bool> turns;
  if (config.family != ModelFamily::smollm3) return turns;
  const auto layers = static_cast<std::size_t>(config.layers);
  const Json* const list = read.find("no_rope_layers");
  if (list == nullptr) {
    NATSCOPE_TRY(const int interval, read.integer_or("no_rope_layer_interval", 4, 1, 1 << 20));
    for (int layer = 0; layer < config.layers; ++layer) turns.push_back((layer + 1) % interval != 0);
    return turns;
  }
  // A longer list is taken as far as there are layers, as in transformers.
  if (!list->is_array() || list->size() < layers) {
    return read.refuse("no_rope_layers", "must be a list with an entry for each layer");
  }
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const Json& entry = (*list)[layer];
    if (entry != 0 && entry != 1) return read.refuse("no_rope_layers", "must hold 1 (turned) and 0 (not turned) alone");
    turns.push_back(entry == 1);
  }
  return turns;
}

Expected<void> read_multipliers(const ConfigReader& read, ModelConfig& config) {
  if (config.family != ModelFamily::granite) return {};
  const auto multiplier = [&](const char* key) { return read.number_or(key, 1.0, 1e-6, 1e6); };
  NATSCOPE_TRY(config.embedding_multiplier, multiplier("embedding_multiplier"));
  NATSCOPE_TRY(config.residual_multiplier, multiplier("residual_multiplier"));
  NATSCOPE_TRY(config.logits_scaling, multiplier("logits_scaling"));
  NATSCOPE_TRY(config.attention_multiplier, multiplier("attention_multiplier"));
  return {};
}

}  // namespace natscope
