// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/config_checks.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace natscope {
namespace {

using Json = nlohmann::json;

Unexpected unsupported(std::string_view key, const std::string& why) {
  return fail(ErrorCode::unsupported_model, "config.json: " + std::string(key) + " " + why);
}

std::string value_text(const Json& value) {
  return printable(value.dump(-1, ' ', true, Json::error_handler_t::replace), 60);
}

/// Settings of related models, with the one value under which they change nothing. Absent and null are fine too.
struct Neutral {
  const char* key;
  double number;  ///< also stands for false (0) and true (1)
};

constexpr auto neutral_values = std::to_array<Neutral>({
    {"pretraining_tp", 1},
    {"partial_rotary_factor", 1},
    {"rotary_pct", 1},
    {"embedding_multiplier", 1},
    {"residual_multiplier", 1},
    {"logits_scaling", 1},
    {"logit_scale", 1},
    {"scale_emb", 1},
    {"add_cross_attention", 0},
    {"is_encoder_decoder", 0},
    {"use_parallel_residual", 0},
    {"parallel_attn", 0},
    {"alibi", 0},
    {"use_alibi", 0},
    {"use_qk_norm", 0},
    {"qk_layernorm", 0},
    {"use_bias", 0},
    {"lm_head_bias", 0},
    {"attn_output_gate", 0},
    {"num_experts", 0},
    {"num_local_experts", 0},
    {"n_routed_experts", 0},
    {"no_rope_layer_interval", 0},
    {"rope_interleaved", 0},
    {"use_mrope", 0},
    {"is_causal", 1},
});

/// Settings that change the arithmetic whatever their value.
constexpr auto never = std::to_array<const char*>({
    "quantization_config",
    "compression_config",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "logit_softcapping",
    "attention_multiplier",
    "query_pre_attn_scalar",
    "attention_chunk_size",
    "attention_sinks",
    "attention_sink_size",
    "sinks",
    "clip_qkv",
    "qkv_clip",
    "no_rope_layers",
    "rope_local_base_freq",
    "scale_depth",
    "rotary_dim",
    "text_config",
    "vision_config",
    "audio_config",
});

/// Settings that these families have, read elsewhere.
struct Implemented {
  ModelFamily family;
  std::string_view key;
};

constexpr auto implemented = std::to_array<Implemented>({
    {ModelFamily::phi3, "partial_rotary_factor"},
    {ModelFamily::smollm3, "no_rope_layers"},
    {ModelFamily::smollm3, "no_rope_layer_interval"},
    {ModelFamily::smollm3, "pretraining_tp"},  // the published file says 2; its products are not cut into pieces
    {ModelFamily::granite, "embedding_multiplier"},
    {ModelFamily::granite, "residual_multiplier"},
    {ModelFamily::granite, "logits_scaling"},
    {ModelFamily::granite, "attention_multiplier"},
});

bool is_implemented(ModelFamily family, std::string_view key) {
  return std::ranges::any_of(implemented,
                             [&](const Implemented& one) { return one.family == family && one.key == key; });
}

bool is_neutral(const Json& value, double number) {
  if (value.is_boolean()) return value.get<bool>() == (number != 0.0);
  return value.is_number() && value.get<double>() == number;
}

}  // namespace

Expected<void> refuse_other_arithmetic(const ConfigReader& read, ModelFamily family) {
  for (const char* const key : {"hidden_act", "hidden_activation"}) {
    NATSCOPE_TRY(const std::string activation, read.text_or(key, "silu"));
    if (activation != "silu" && activation != "swish") {
      return unsupported(key, printable(activation, 40) + " is not implemented, only silu");
    }
  }
  for (const Neutral& setting : neutral_values) {
    const Json* const value = is_implemented(family, setting.key) ? nullptr : read.find(setting.key);
    if (value != nullptr && !is_neutral(*value, setting.number)) {
      return unsupported(setting.key, value_text(*value) + " is not implemented");
    }
  }
  for (const char* const key : never) {
    const Json* const value = is_implemented(family, key) ? nullptr : read.find(key);
    const bool says_off = value != nullptr && (*value == false || (value->is_structured() && value->empty()));
    if (value != nullptr && !says_off) return unsupported(key, "is not implemented");
  }
  return {};
}

Expected<int> context_within_sliding_window(const ConfigReader& read, const ModelConfig& config) {
  NATSCOPE_TRY(const auto layer_types, read.texts_or_none("layer_types"));
  bool a_layer_slides = false;
  for (const std::string& type : layer_types) {
    if (type != "full_attention" && type != "sliding_attention") {
      return unsupported("layer_types", printable(type, 40) + " is not implemented");
    }
    a_layer_slides = a_layer_slides || type == "sliding_attention";
  }
  if (!layer_types.empty() && layer_types.size() != static_cast<std::size_t>(config.layers)) {
    return read.refuse("layer_types", "has not num_hidden_layers entries");
  }

  NATSCOPE_TRY(const bool is_switched_on, read.boolean_or("use_sliding_window", false));
  const bool is_qwen = config.family == ModelFamily::qwen2 || config.family == ModelFamily::qwen3;
  const bool has_switch = is_qwen || config.family == ModelFamily::smollm3;
  if (has_switch && !is_switched_on && !a_layer_slides) return config.context;
  if (is_qwen && layer_types.empty()) {
    NATSCOPE_TRY(const int first_sliding, read.integer_or("max_window_layers", 0, 0, INT32_MAX));
    if (first_sliding >= config.layers) return config.context;
  } else if (has_switch && !layer_types.empty() && !a_layer_slides) {
    return config.context;
  }

  // transformers takes 4096 where the key is not mentioned, by a Mistral and by a Qwen that says that it slides; null
  // switches it off.
  const bool slides_by_itself = config.family == ModelFamily::mistral || (is_qwen && is_switched_on);
  const bool by_default = slides_by_itself && !read.mentions("sliding_window");
  if (!by_default && !read.has("sliding_window")) {
    if (a_layer_slides) return read.refuse("sliding_window", "is missing, but layer_types asks for one");
    return config.context;
  }
  NATSCOPE_TRY(const int window, read.integer_or("sliding_window", 4096, 1, INT32_MAX));
  constexpr int shortest_useful_context = 1024;
  if (window < std::min(config.context, shortest_useful_context)) {
    return unsupported("sliding_window", std::to_string(window) + " is shorter than the context, and the model's own " +
                                             "sliding windows are not implemented");
  }
  return std::min(config.context, window);
}

}  // namespace natscope
