// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/adapter.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "core/io/json_limits.h"
#include "core/model/config_reader.h"
#include "core/model/tensor_table.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "adapter_config.json";
constexpr const char* weights_name = "adapter.safetensors";
constexpr std::size_t model_prefix_bytes = 6;  // "model."
constexpr auto known_targets = std::to_array<const char*>({"q_proj", "k_proj", "v_proj", "o_proj"});

Unexpected bad_adapter(const std::string& why) { return fail(ErrorCode::bad_adapter, why); }

/// rank (or r), alpha and targets, which stand in a block "lora" or beside base_model.
Expected<LoraConfig> read_lora(const nlohmann::json& json) {
  const ConfigReader read(json, ErrorCode::bad_adapter, std::string(config_name) + ": LoRA");
  if (!json.is_object()) return bad_adapter(std::string(config_name) + ": lora must be an object");
  constexpr int max_rank = 4096;
  LoraConfig lora;
  NATSCOPE_TRY(lora.rank, read.integer(read.has("rank") ? "rank" : "r", 1, max_rank));
  NATSCOPE_TRY(lora.alpha, read.number("alpha", 1e-6, 1e6));
  NATSCOPE_TRY(lora.targets, read.texts_or_none("targets"));
  if (lora.targets.empty()) return read.refuse("targets", "is missing or empty");
  std::set<std::string> seen;
  for (const std::string& target : lora.targets) {
    const bool known = std::find(known_targets.begin(), known_targets.end(), target) != known_targets.end();
    if (!known)
      return read.refuse("targets", "names " + printable(target, 40) + ", not one of q_proj, k_proj, v_proj, o_proj");
    if (!seen.insert(target).second) return read.refuse("targets", "names " + target + " twice");
  }
  return lora;
}

/// Every tensor name that an adapter of this base may hold.
std::set<std::string> possible_names(const AdapterConfig& config, const ModelConfig& base) {
  std::set<std::string> names;
  for (int layer = 0; layer < base.layers; ++layer) {
    names.insert(score_layer_name(layer));
    names.insert(score_layer_name(layer).substr(model_prefix_bytes));
    if (!config.lora) continue;
    for (const std::string& target : config.lora->targets) {
      names.insert(lora_name(layer, target, 'a'));
      names.insert(lora_name(layer, target, 'b'));
    }
  }
  return names;
}

}  // namespace

std::string lora_name(int layer, const std::string& target, char factor) {
  return "model.layers." + std::to_string(layer) + ".self_attn." + target + ".lora_" + factor;
}

const TensorInfo* find_adapter_score_layer(const WeightFiles& weights, int layer) {
  const std::string name = score_layer_name(layer);
  const TensorInfo* const tensor = weights.find(name);
  return tensor != nullptr ? tensor : weights.find(std::string_view(name).substr(model_prefix_bytes));
}

Expected<AdapterConfig> read_adapter_config(const fs::path& folder) {
  auto json = read_json_file(folder / config_name);
  if (!json && json.error().code == ErrorCode::bad_json) return bad_adapter(json.error().message);
  if (!json) return Unexpected(std::move(json).error());
  if (!json->is_object()) return bad_adapter(std::string(config_name) + " holds no object");
  const ConfigReader read(*json, ErrorCode::bad_adapter, config_name);
  AdapterConfig config;
  NATSCOPE_TRY(config.base_model, read.text_or("base_model", ""));
  if (const auto* const nats = read.find("nats")) {
    auto block = parse_nats_config(*nats);
    if (!block) return bad_adapter(std::string(config_name) + ": " + block.error().message);
    config.nats = *block;
  }
  if (const auto* const lora = read.find("lora")) {
    NATSCOPE_TRY(config.lora, read_lora(*lora));
  } else if (read.has("rank") || read.has("r")) {
    NATSCOPE_TRY(config.lora, read_lora(*json));
  }
  return config;
}

Expected<Adapter> open_adapter(const fs::path& folder, const ModelConfig& base) {
  Adapter adapter;
  NATSCOPE_TRY(adapter.config, read_adapter_config(folder));
  auto weights = WeightFiles::open_file(folder / weights_name);
  if (!weights && weights.error().code == ErrorCode::file_not_found) {
    return fail(ErrorCode::bad_adapter, folder.string() + " holds no " + weights_name,
                "natscope-cli convert makes it from an adapter_weights.pth");
  }
  if (!weights) return Unexpected(std::move(weights).error());
  adapter.weights = std::move(*weights);

  const std::set<std::string> possible = possible_names(adapter.config, base);
  const auto& tensors = adapter.weights.files().front().tensors();
  if (tensors.empty()) return bad_adapter(std::string(weights_name) + " holds no tensors");
  for (const TensorInfo& tensor : tensors) {
    if (!possible.contains(tensor.name)) {
      return bad_adapter(std::string(weights_name) + ": tensor " + printable(tensor.name) +
                         " has no place in the base model or is not announced in " + config_name);
    }
    const bool doubled = !tensor.name.starts_with("model.") && adapter.weights.find("model." + tensor.name) != nullptr;
    if (doubled) return bad_adapter(std::string(weights_name) + ": tensor " + tensor.name + " stands twice");
  }
  for (int layer = 0; layer < base.layers; ++layer) {
    adapter.has_score_layers = adapter.has_score_layers || find_adapter_score_layer(adapter.weights, layer) != nullptr;
  }
  if (adapter.has_score_layers && !adapter.config.nats) {
    return bad_adapter(std::string(config_name) + ": score layers without nats.window");
  }
  return adapter;
}

}  // namespace natscope
