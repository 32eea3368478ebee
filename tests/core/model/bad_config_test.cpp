// SPDX-License-Identifier: GPL-3.0-or-later
// Configs that must be refused, each with its code. Every value is merged into a good config as a JSON merge patch
// (null removes a key), so each line changes one thing.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "core/model/config.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

struct Case {
  const char* patch;
  ErrorCode code;
  const char* named;  ///< must stand in the message: the key that is at fault
};

Json good(const char* type = "llama", const char* architecture = "LlamaForCausalLM") {
  Json json = Json::parse(R"({"vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2})");
  json["model_type"] = type;
  json["architectures"] = {architecture};
  return json;
}

void check_refused(Json json, const Case& bad) {
  CAPTURE(bad.patch);
  json.merge_patch(Json::parse(bad.patch));
  const auto config = parse_model_config(json);
  REQUIRE_FALSE(config);
  CHECK(std::string(name(config.error().code)) == name(bad.code));
  CHECK(config.error().message.find(bad.named) != std::string::npos);
  CHECK(exit_code(config.error().code) == 3);
}

constexpr ErrorCode wrong = ErrorCode::bad_config;
constexpr ErrorCode unsupported = ErrorCode::unsupported_model;

const std::vector<Case> bad_llama = {
    {R"({"num_hidden_layers": null})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": 0})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": -1})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": 2.5})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": "3"})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": 1000000})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": 18446744073709551615})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": 4294967299})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": [3]})", wrong, "num_hidden_layers"},
    {R"({"num_hidden_layers": true})", wrong, "num_hidden_layers"},
    {R"({"hidden_size": null})", wrong, "hidden_size"},
    {R"({"hidden_size": 2147483648})", wrong, "hidden_size"},
    {R"({"hidden_size": 66, "head_dim": null})", wrong, "hidden_size"},
    {R"({"intermediate_size": null})", wrong, "intermediate_size"},
    {R"({"intermediate_size": 0})", wrong, "intermediate_size"},
    {R"({"vocab_size": null})", wrong, "vocab_size"},
    {R"({"vocab_size": -5})", wrong, "vocab_size"},
    {R"({"vocab_size": 9e99})", wrong, "vocab_size"},
    {R"({"max_position_embeddings": null})", wrong, "max_position_embeddings"},
    {R"({"max_position_embeddings": 0})", wrong, "max_position_embeddings"},
    {R"({"max_position_embeddings": 4294967296})", wrong, "max_position_embeddings"},
    {R"({"num_attention_heads": null})", wrong, "num_attention_heads"},
    {R"({"num_attention_heads": 0})", wrong, "num_attention_heads"},
    {R"({"num_attention_heads": 3})", wrong, "num_key_value_heads"},
    {R"({"num_key_value_heads": 3})", wrong, "num_key_value_heads"},
    {R"({"num_key_value_heads": 0})", wrong, "num_key_value_heads"},
    {R"({"num_key_value_heads": 8})", wrong, "num_key_value_heads"},
    {R"({"head_dim": 15})", wrong, "head_dim"},
    {R"({"head_dim": 0})", wrong, "head_dim"},
    {R"({"head_dim": -16})", wrong, "head_dim"},
    {R"({"head_dim": 4})", unsupported, "head_dim"},
    {R"({"head_dim": 512})", unsupported, "head_dim"},
    {R"({"num_attention_heads": 4096, "head_dim": 4096})", unsupported, "head_dim"},
    {R"({"num_hidden_layers": 1024, "num_attention_heads": 4096, "num_key_value_heads": 1, "head_dim": 8})", wrong,
     "num_attention_heads"},
    {R"({"rms_norm_eps": -1})", wrong, "rms_norm_eps"},
    {R"({"rms_norm_eps": 1e30})", wrong, "rms_norm_eps"},
    {R"({"rms_norm_eps": "small"})", wrong, "rms_norm_eps"},
    {R"({"tie_word_embeddings": 1})", wrong, "tie_word_embeddings"},
    {R"({"attention_bias": "yes"})", wrong, "attention_bias"},
    {R"({"bos_token_id": 1000})", wrong, "bos_token_id"},
    {R"({"bos_token_id": [1, 2]})", wrong, "bos_token_id"},
    {R"({"eos_token_id": -1})", wrong, "eos_token_id"},
    {R"({"eos_token_id": [2, 1000]})", wrong, "eos_token_id"},
    {R"({"eos_token_id": "</s>"})", wrong, "eos_token_id"},
    {R"({"torch_dtype": 16})", wrong, "torch_dtype"},
    // Another architecture.
    {R"({"model_type": null, "architectures": null})", wrong, "model_type"},
    {R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]})", unsupported, "GPT2LMHeadModel"},
    {R"({"architectures": ["LlamaModel"]})", unsupported, "LlamaModel"},
    {R"({"architectures": ["MistralForCausalLM"]})", unsupported, "MistralForCausalLM"},
    {R"({"architectures": ["LlamaForCausalLM", "MistralForCausalLM"]})", unsupported, "architectures"},
    {R"({"architectures": "LlamaForCausalLM"})", wrong, "architectures"},
    {R"({"architectures": null, "model_type": "mamba"})", unsupported, "mamba"},
    {R"({"model_type": 3})", wrong, "model_type"},
    // Settings that change the arithmetic.
    {R"({"hidden_act": "gelu"})", unsupported, "hidden_act"},
    {R"({"hidden_act": 1})", wrong, "hidden_act"},
    {R"({"hidden_activation": "gelu_pytorch_tanh"})", unsupported, "hidden_activation"},
    {R"({"pretraining_tp": 2})", unsupported, "pretraining_tp"},
    {R"({"partial_rotary_factor": 0.5})", unsupported, "partial_rotary_factor"},
    {R"({"quantization_config": {"quant_method": "gptq"}})", unsupported, "quantization_config"},
    {R"({"attn_logit_softcapping": 50.0})", unsupported, "attn_logit_softcapping"},
    {R"({"final_logit_softcapping": 30.0})", unsupported, "final_logit_softcapping"},
    {R"({"num_local_experts": 8})", unsupported, "num_local_experts"},
    {R"({"num_experts": 64})", unsupported, "num_experts"},
    {R"({"residual_multiplier": 0.22})", unsupported, "residual_multiplier"},
    {R"({"logits_scaling": 8})", unsupported, "logits_scaling"},
    {R"({"embedding_multiplier": 12})", unsupported, "embedding_multiplier"},
    {R"({"attention_multiplier": 0.125})", unsupported, "attention_multiplier"},
    {R"({"no_rope_layer_interval": 4})", unsupported, "no_rope_layer_interval"},
    {R"({"attention_chunk_size": 8192})", unsupported, "attention_chunk_size"},
    {R"({"no_rope_layers": [1, 1, 0]})", unsupported, "no_rope_layers"},
    {R"({"is_encoder_decoder": true})", unsupported, "is_encoder_decoder"},
    {R"({"use_qk_norm": true})", unsupported, "use_qk_norm"},
    {R"({"rope_interleaved": true})", unsupported, "rope_interleaved"},
    {R"({"text_config": {"hidden_size": 64}})", unsupported, "text_config"},
    {R"({"sliding_window": 128})", unsupported, "sliding_window"},
    {R"({"sliding_window": "wide"})", wrong, "sliding_window"},
    {R"({"is_causal": false})", unsupported, "is_causal"},
    {R"({"layer_types": ["full_attention", "full_attention"]})", wrong, "layer_types"},
    {R"({"layer_types": ["full_attention", "full_attention", "linear_attention"]})", unsupported, "linear_attention"},
    {R"({"layer_types": ["full_attention", "full_attention", "sliding_attention"]})", wrong, "sliding_window"},
    // Rope.
    {R"({"rope_theta": 0})", wrong, "rope_theta"},
    {R"({"rope_theta": "10000"})", wrong, "rope_theta"},
    {R"({"rope_theta": -1.0})", wrong, "rope_theta"},
    {R"({"rope_scaling": "linear"})", wrong, "rope_scaling"},
    {R"({"rope_scaling": {"type": "linear"}})", wrong, "factor"},
    {R"({"rope_scaling": {"factor": 2.0}})", unsupported, "rope_scaling.factor"},
    {R"({"rope_scaling": {"rope_type": "default", "factor": 8}})", unsupported, "rope_scaling.factor"},
    {R"({"rope_parameters": {"rope_theta": 1e4, "low_freq_factor": 2}})", unsupported, "low_freq_factor"},
    {R"({"rope_scaling": {"type": "linear", "factor": 0}})", wrong, "factor"},
    {R"({"rope_scaling": {"type": "dynamic", "factor": 2}})", unsupported, "dynamic"},
    {R"({"rope_scaling": {"rope_type": "linear", "type": "llama3", "factor": 4}})", wrong, "rope_type disagree"},
    {R"({"rope_scaling": {"rope_type": "yarn"}})", wrong, "factor"},
    {R"({"rope_scaling": {"rope_type": "yarn", "factor": 0.5}})", wrong, "factor"},
    {R"({"rope_scaling": {"rope_type": "yarn", "factor": 4, "beta_fast": 1}})", wrong, "beta_fast"},
    {R"({"rope_scaling": {"rope_type": "yarn", "factor": 4, "truncate": 1}})", wrong, "truncate"},
    {R"({"rope_theta": 1, "rope_scaling": {"rope_type": "yarn", "factor": 4}})", wrong, "rope_theta"},
    {R"({"rope_scaling": {"rope_type": "yarn", "factor": 4, "low_freq_factor": 1, "ramp": 3}})", unsupported, "ramp"},
    {R"({"rope_scaling": {"rope_type": "linear", "factor": 4, "attention_factor": 2}})", unsupported,
     "attention_factor"},
    {R"({"rope_scaling": {"rope_type": "longrope", "short_factor": [1], "long_factor": [1]}})", unsupported,
     "longrope"},
    {R"({"rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]}})", unsupported, "mrope_section"},
    {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8}})", wrong, "low_freq_factor"},
    {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}})", wrong,
     "high_freq_factor"},
    {R"({"rope_scaling": {"rope_type": 3}})", wrong, "rope_type"},
    {R"({"rope_parameters": {"full_attention": {"rope_type": "default"}}})", unsupported, "full_attention"},
    {R"({"rope_theta": 5e3, "rope_parameters": {"rope_theta": 1e4}})", wrong, "rope_theta"},
    {R"({"rope_parameters": {"rope_theta": 1e4}, "rope_scaling": {"type": "linear", "factor": 2}})", wrong,
     "rope_scaling"},
    {R"({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.25}})", unsupported,
     "partial_rotary_factor"},
    // The nats block.
    {R"({"nats": 16})", wrong, "nats"},
    {R"({"nats": {}})", wrong, "window"},
    {R"({"nats": {"window": -1}})", wrong, "window"},
    {R"({"nats": {"window": 1.5}})", wrong, "window"},
    {R"({"nats": {"window": 4294967296}})", wrong, "window"},
    {R"({"nats": {"window": 16, "global_bias": "high"}})", wrong, "global_bias"},
    {R"({"nats": {"window": 16, "sparse_regularized_value": []}})", wrong, "sparse_regularized_value"},
};

TEST_CASE("bad Llama configs") {
  REQUIRE(parse_model_config(good()));
  for (const Case& bad : bad_llama) check_refused(good(), bad);
  MESSAGE(bad_llama.size() << " configs refused");
}

TEST_CASE("bad configs of the other families") {
  const Json mistral = good("mistral", "MistralForCausalLM");
  REQUIRE(parse_model_config(mistral));
  check_refused(mistral, {R"({"attention_bias": true})", unsupported, "attention_bias"});
  check_refused(mistral, {R"({"mlp_bias": true})", unsupported, "mlp_bias"});
  check_refused(mistral, {R"({"num_key_value_heads": null})", wrong, "num_key_value_heads"});
  check_refused(mistral, {R"({"sliding_window": 256})", unsupported, "sliding_window"});
  check_refused(mistral, {R"({"sliding_window": 0})", wrong, "sliding_window"});
  const Json phi3 = good("phi3", "Phi3ForCausalLM");
  REQUIRE(parse_model_config(phi3));
  check_refused(phi3, {R"({"attention_bias": true})", unsupported, "attention_bias"});
  check_refused(phi3, {R"({"mlp_bias": true})", unsupported, "mlp_bias"});
  check_refused(phi3, {R"({"partial_rotary_factor": 0})", wrong, "partial_rotary_factor"});
  check_refused(phi3, {R"({"partial_rotary_factor": 0.2})", wrong, "partial_rotary_factor"});  // 3 of 16
  check_refused(phi3, {R"({"partial_rotary_factor": 1.5})", wrong, "partial_rotary_factor"});
  check_refused(phi3, {R"({"partial_rotary_factor": 0.5, "rope_parameters": {"partial_rotary_factor": 0.75}})", wrong,
                       "partial_rotary_factor"});
  check_refused(phi3, {R"({"lm_head_bias": true})", unsupported, "lm_head_bias"});
  check_refused(phi3, {R"({"sliding_window": 100})", unsupported, "sliding_window"});
  check_refused(phi3, {R"({"rope_scaling": {"type": "longrope", "short_factor": [1], "long_factor": [2]}})", wrong,
                       "short_factor has 1 numbers"});
  Json longrope = phi3;
  longrope["rope_scaling"] = Json::parse(R"({"type": "longrope", "short_factor": [1, 1, 1, 1, 1, 1, 1, 1],
        "long_factor": [2, 2, 2, 2, 2, 2, 2, 2]})");
  REQUIRE(parse_model_config(longrope));
  check_refused(longrope, {R"({"rope_scaling": {"short_factor": null}})", wrong, "short_factor"});
  check_refused(longrope, {R"({"rope_scaling": {"long_factor": null}})", wrong, "long_factor"});
  check_refused(longrope, {R"({"rope_scaling": {"long_factor": 2}})", wrong, "long_factor"});
  check_refused(longrope, {R"({"rope_scaling": {"long_factor": [2, 2, 2, 2, 2, 2, 2, 0]}})", wrong, "long_factor"});
  check_refused(longrope, {R"({"rope_scaling": {"long_factor": [2, 2, 2, 2, 2, 2, 2, "2"]}})", wrong, "long_factor"});
  check_refused(longrope, {R"({"partial_rotary_factor": 0.75})", wrong, "short_factor has 8 numbers"});
  check_refused(longrope, {R"({"rope_scaling": {"original_max_position_embeddings": 8192}})", wrong,
                           "original_max_position_embeddings"});
  check_refused(longrope, {R"({"original_max_position_embeddings": 1})", wrong, "original_max_position_embeddings"});
  check_refused(longrope, {R"({"rope_scaling": {"short_mscale": 1.1}})", unsupported, "short_mscale"});
  check_refused(longrope, {R"({"rope_scaling": {"attention_factor": 0}})", wrong, "attention_factor"});
  check_refused(phi3, {R"({"rope_scaling": {"type": "yarn", "factor": 4}})", wrong, "short_factor"});
  check_refused(phi3, {R"({"rope_scaling": {"type": "dynamic", "factor": 4}})", unsupported, "dynamic"});
  const Json smollm3 = good("smollm3", "SmolLM3ForCausalLM");
  REQUIRE(parse_model_config(smollm3));
  check_refused(smollm3, {R"({"no_rope_layers": [1, 0]})", wrong, "no_rope_layers"});
  check_refused(smollm3, {R"({"no_rope_layers": []})", wrong, "no_rope_layers"});
  check_refused(smollm3, {R"({"no_rope_layers": 1})", wrong, "no_rope_layers"});
  check_refused(smollm3, {R"({"no_rope_layers": [1, 2, 0]})", wrong, "no_rope_layers"});
  check_refused(smollm3, {R"({"no_rope_layer_interval": 0})", wrong, "no_rope_layer_interval"});
  check_refused(smollm3, {R"({"num_key_value_heads": null})", wrong, "num_key_value_heads"});
  check_refused(smollm3, {R"({"use_sliding_window": true, "sliding_window": 100})", unsupported, "sliding_window"});
  check_refused(smollm3, {R"({"partial_rotary_factor": 0.5})", unsupported, "partial_rotary_factor"});
  check_refused(smollm3, {R"({"residual_multiplier": 0.5})", unsupported, "residual_multiplier"});
  const Json granite = good("granite", "GraniteForCausalLM");
  REQUIRE(parse_model_config(granite));
  for (const char* const key :
       {"embedding_multiplier", "residual_multiplier", "logits_scaling", "attention_multiplier"}) {
    for (const char* const value : {"0", "-1", "true", "[]", "1e9"}) {
      check_refused(granite, {("{\"" + std::string(key) + "\": " + value + "}").c_str(), wrong, key});
    }
  }
  check_refused(granite, {R"({"no_rope_layers": [1, 1, 0]})", unsupported, "no_rope_layers"});
  check_refused(granite, {R"({"partial_rotary_factor": 0.5})", unsupported, "partial_rotary_factor"});
  check_refused(granite, {R"({"num_local_experts": 40})", unsupported, "num_local_experts"});
  const Json qwen = good("qwen3", "Qwen3ForCausalLM");
  REQUIRE(parse_model_config(qwen));
  check_refused(qwen, {R"({"use_sliding_window": true, "sliding_window": 100})", unsupported, "sliding_window"});
  check_refused(qwen, {R"({"use_sliding_window": 1})", wrong, "use_sliding_window"});
  check_refused(qwen, {R"({"mlp_bias": true})", unsupported, "mlp_bias"});
}

TEST_CASE("a config that is no object") {
  for (const char* const text : {"[]", "3", "\"llama\"", "null", "true"}) {
    CHECK(parse_model_config(Json::parse(text)).error().code == ErrorCode::bad_config);
  }
}

}  // namespace
}  // namespace natscope
