// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/adapter.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "core/json/json_limits.h"
#include "core/model/config_reader.h"
#include "core/model/tensor_table.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "adapter_config.json";
constexpr const char* weights_name = "adapter.safetensors";
constexpr std::string_view model_prefix = "model.";
constexpr auto known_targets = std::to_array<const char*>({"q_proj", "k_proj", "v_proj", "o_proj"});
constexpr auto rank_keys = std::to_array<const char*>({"rank", "r", "lora_rank"});
constexpr auto alpha_keys = std::to_array<const char*>({"alpha", "lora_alpha"});
constexpr auto targets_keys = std::to_array<const char*>({"targets", "lora_targets"});
/// Kinds of LoRA that compute something else, by the names of other programs' settings.
constexpr auto other_arithmetic =
    std::to_array<const char*>({"use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out",
                                "layers_to_transform", "modules_to_save", "lora_bias", "bias", "use_qalora",
                                "alora_invocation_tokens", "exclude_modules", "target_parameters"});

Unexpected bad_adapter(const std::string& why) { return fail(ErrorCode::bad_adapter, why); }

/// The one of `keys` that is there, else the first.
template <std::size_t n>
Expected<const char*> one_of(const ConfigReader& read, const std::array<const char*, n>& keys) {
  const char* found = nullptr;
  for (const char* const key : keys) {
    if (!read.has(key)) continue;
    if (found != nullptr) return read.refuse(key, "says again what " + std::string(found) + " says");
    found = key;
  }
  return found != nullptr ? found : keys.front();
}

bool is_off(const nlohmann::json& value) {
  return value == false || value == "none" || ((value.is_array() || value.is_object()) && value.empty());
}

/// A setting that is not understood could be one that changes the arithmetic.
Expected<void> refuse_other_lora(const ConfigReader& read, const nlohmann::json& json, bool is_block) {
  for (const char* const key : other_arithmetic) {
    const auto* const value = read.find(key);
    if (value != nullptr && !is_off(*value)) return read.refuse(key, "is a kind of LoRA that is not implemented");
  }
  // What PEFT calls the kind, and the targets, must not say otherwise than what is read.
  if (const auto* const kind = read.find("peft_type"); kind != nullptr && !is_off(*kind) && *kind != "LORA")
    return read.refuse("peft_type", "is a kind of adapter that is not implemented");
  if (!is_block) return {};
  const auto known = [](const auto& keys, const std::string& key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  constexpr auto of_training_alone = std::to_array<const char*>({"dropout", "lora_dropout"});
  for (const auto& [key, value] : json.items()) {
    const bool understood = known(rank_keys, key) || known(alpha_keys, key) || known(targets_keys, key) ||
                            known(of_training_alone, key) || known(other_arithmetic, key) || value.is_null();
    if (!understood) return read.refuse(printable(key, 40), "is not a setting of LoRA that is known here");
  }
  return {};
}

/// Two places for one setting: nobody knows which is meant.
Expected<void> refuse_beside_block(const ConfigReader& read) {
  const auto none = [&](const auto& keys) -> Expected<void> {
    for (const char* const key : keys) {
      if (read.has(key)) return read.refuse(key, "stands beside the block lora, which says it");
    }
    return {};
  };
  NATSCOPE_CHECK(none(rank_keys));
  NATSCOPE_CHECK(none(alpha_keys));
  NATSCOPE_CHECK(none(targets_keys));
  return none(std::array{"target_modules"});
}

/// Rank, alpha and targets, which stand in a block "lora" or beside base_model.
Expected<LoraConfig> read_lora(const nlohmann::json& json, bool is_block) {
  const ConfigReader read(json, ErrorCode::bad_adapter, std::string(config_name) + ": LoRA");
  if (!json.is_object()) return bad_adapter(std::string(config_name) + ": lora must be an object");
  NATSCOPE_CHECK(refuse_other_lora(read, json, is_block));
  constexpr int max_rank = 4096;
  NATSCOPE_TRY(const char* const rank, one_of(read, rank_keys));
  NATSCOPE_TRY(const char* const alpha, one_of(read, alpha_keys));
  NATSCOPE_TRY(const char* const targets, one_of(read, targets_keys));
  LoraConfig lora;
  NATSCOPE_TRY(lora.rank, read.integer(rank, 1, max_rank));
  NATSCOPE_TRY(lora.alpha, read.number(alpha, 1e-6, 1e6));
  NATSCOPE_TRY(lora.targets, read.texts_or_none(targets));
  if (lora.targets.empty()) return read.refuse(targets, "is missing or empty");
  std::set<std::string> seen;
  const auto* const modules = read.find("target_modules");
  if (modules != nullptr && !modules->is_null() && *modules != nlohmann::json(lora.targets))
    return read.refuse("target_modules", "says otherwise than " + std::string(targets));
  for (std::string& target : lora.targets) {
    if (target.size() == 1) target += "_proj";
    const bool known = std::find(known_targets.begin(), known_targets.end(), target) != known_targets.end();
    if (!known)
      return read.refuse(targets, "names " + printable(target, 40) + ", not one of q_proj, k_proj, v_proj, o_proj");
    if (!seen.insert(target).second) return read.refuse(targets, "names " + target + " twice");
  }
  return lora;
}

/// How a tensor's name may be written.
std::vector<std::string> spellings(const std::string& name) {
  std::vector<std::string> result{name};
  if (!name.ends_with(".weight")) result.push_back(name + ".weight");
  const std::size_t long_ones = result.size();
  for (std::size_t i = 0; i < long_ones && name.starts_with(model_prefix); ++i)
    result.push_back(result[i].substr(model_prefix.size()));
  return result;
}

/// Every tensor name that an adapter of this base may hold, and the one that it stands for.
std::map<std::string, std::string> possible_names(const AdapterConfig& config, const ModelConfig& base) {
  std::map<std::string, std::string> names;
  const auto add = [&](const std::string& name) {
    for (const std::string& spelling : spellings(name)) names.emplace(spelling, name);
  };
  for (int layer = 0; layer < base.layers; ++layer) {
    add(score_layer_name(layer));
    if (!config.lora) continue;
    for (const std::string& target : config.lora->targets) {
      add(lora_name(layer, target, 'a'));
      add(lora_name(layer, target, 'b'));
    }
  }
  return names;
}

}  // namespace

std::string lora_name(int layer, const std::string& target, char factor) {
  return "model.layers." + std::to_string(layer) + ".self_attn." + target + ".lora_" + factor;
}

const TensorInfo* find_adapter_tensor(const WeightFiles& weights, const std::string& name) {
  for (const std::string& spelling : spellings(name)) {
    if (const TensorInfo* const tensor = weights.find(spelling)) return tensor;
  }
  return nullptr;
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
    // Beside the block they are no less meant.
    NATSCOPE_CHECK(refuse_other_lora(read, *json, false));
    NATSCOPE_CHECK(refuse_beside_block(read));
    NATSCOPE_TRY(config.lora, read_lora(*lora, true));
  } else if (std::any_of(rank_keys.begin(), rank_keys.end(), [&](const char* key) { return read.has(key); })) {
    NATSCOPE_TRY(config.lora, read_lora(*json, false));
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

  const std::map<std::string, std::string> possible = possible_names(adapter.config, base);
  const auto& tensors = adapter.weights.files().front().tensors();
  if (tensors.empty()) return bad_adapter(std::string(weights_name) + " holds no tensors");
  std::set<std::string> seen;
  for (const TensorInfo& tensor : tensors) {
    const auto place = possible.find(tensor.name);
    if (place == possible.end()) {
      return bad_adapter(std::string(weights_name) + ": tensor " + printable(tensor.name) +
                         " has no place in the base model or is not announced in " + config_name);
    }
    if (!seen.insert(place->second).second) {
      return bad_adapter(std::string(weights_name) + ": tensor " + place->second + " stands there twice, as " +
                         tensor.name + ", too");
    }
    adapter.has_score_layers = adapter.has_score_layers || place->second.ends_with(".proj_layer.weight");
  }
  if (adapter.has_score_layers && !adapter.config.nats) {
    return bad_adapter(std::string(config_name) + ": score layers without nats.window");
  }
  return adapter;
}

}  // namespace natscope
