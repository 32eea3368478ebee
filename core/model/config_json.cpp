// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/model/config.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

const char* model_type(ModelFamily family) {
  switch (family) {
    case ModelFamily::llama:
      return "llama";
    case ModelFamily::mistral:
      return "mistral";
    case ModelFamily::phi3:
      return "phi3";
    case ModelFamily::qwen2:
      return "qwen2";
    case ModelFamily::qwen3:
      return "qwen3";
    case ModelFamily::smollm3:
      return "smollm3";
    case ModelFamily::granite:
      return "granite";
  }
  return "llama";
}

Json rope_scaling(const RopeConfig& rope) {
  switch (rope.kind) {
    case RopeKind::none:
      return nullptr;
    case RopeKind::linear:
      return {{"rope_type", "linear"}, {"factor", rope.factor}};
    case RopeKind::llama3:
      return {{"rope_type", "llama3"},
              {"factor", rope.factor},
              {"low_freq_factor", rope.low_freq_factor},
              {"high_freq_factor", rope.high_freq_factor},
              {"original_max_position_embeddings", rope.original_context}};
    case RopeKind::yarn:
      return {{"rope_type", "yarn"},
              {"factor", rope.factor},
              {"original_max_position_embeddings", rope.original_context},
              {"beta_fast", rope.beta_fast},
              {"beta_slow", rope.beta_slow},
              {"attention_factor", rope.attention_factor},
              {"truncate", rope.truncate}};
    case RopeKind::longrope:
      return {{"rope_type", "longrope"},
              {"short_factor", rope.short_factor},
              {"long_factor", rope.long_factor},
              {"original_max_position_embeddings", rope.original_context},
              {"attention_factor", rope.attention_factor}};
  }
  return nullptr;
}

}  // namespace

Json model_config_json(const ModelConfig& config) {
  Json json = {
      {"architectures", Json::array({config.architecture})},
      {"model_type", model_type(config.family)},
      {"vocab_size", config.vocab},
      {"hidden_size", config.hidden},
      {"intermediate_size", config.intermediate},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"num_key_value_heads", config.kv_heads},
      {"head_dim", config.head_dim},
      {"hidden_act", "silu"},
      {"max_position_embeddings", std::max(config.context, config.longest_context)},
      {"rms_norm_eps", config.rms_norm_eps},
      {"rope_theta", config.rope.theta},
      {"rope_scaling", rope_scaling(config.rope)},
      {"attention_bias", config.o_bias},
      {"mlp_bias", config.mlp_bias},
      {"tie_word_embeddings", config.tied},
      {"use_cache", true},
  };
  if (config.rope.rotated_part != 1.0) json["partial_rotary_factor"] = config.rope.rotated_part;
  // Where transformers looks for it in a Phi-3.
  if (config.rope.kind == RopeKind::longrope) json["original_max_position_embeddings"] = config.rope.original_context;
  if (!config.rotated_layers.empty()) {
    json["no_rope_layers"] = Json::array();
    for (const bool turns : config.rotated_layers) json["no_rope_layers"].push_back(turns ? 1 : 0);
  }
  if (config.attention_multiplier) {
    json["embedding_multiplier"] = config.embedding_multiplier;
    json["residual_multiplier"] = config.residual_multiplier;
    json["logits_scaling"] = config.logits_scaling;
    json["attention_multiplier"] = *config.attention_multiplier;
  }
  // The context is already within it: no window of the model's own may come back when the file is read.
  if (config.family != ModelFamily::llama) json["sliding_window"] = nullptr;
  if (config.bos) json["bos_token_id"] = *config.bos;
  if (config.eos.size() == 1) json["eos_token_id"] = config.eos[0];
  if (config.eos.size() > 1) json["eos_token_id"] = config.eos;
  if (!config.stored_dtype.empty()) json["torch_dtype"] = config.stored_dtype;
  if (config.nats) {
    json["nats"] = {{"window", config.nats->window},
                    {"global_bias", config.nats->global_bias},
                    {"sparse_regularized_value", config.nats->sparse_regularized_value}};
  }
  return json;
}

}  // namespace natscope
