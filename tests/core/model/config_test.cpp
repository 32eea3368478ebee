// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/config.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

namespace natscope {
namespace {

using Json = nlohmann::json;

Json llama() {
  return Json::parse(R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 1000,
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "hidden_act": "silu"})");
}

Json other(const char* type, const char* architecture) {
  Json json = llama();
  json["model_type"] = type;
  json["architectures"] = {architecture};
  return json;
}

ModelConfig parsed(const Json& json) {
  const auto config = parse_model_config(json);
  if (!config) FAIL(format_error_line(config.error()));
  return *config;
}

TEST_CASE("Llama's defaults") {
  const ModelConfig config = parsed(llama());
  CHECK(config.family == ModelFamily::llama);
  CHECK(config.architecture == "LlamaForCausalLM");
  CHECK(config.head_dim == 16);
  CHECK(config.group() == 2);
  CHECK(config.rope.theta == 10000.0);
  CHECK(config.rope.kind == RopeKind::none);
  CHECK(config.context == 512);
  CHECK_FALSE(config.tied);
  CHECK_FALSE(config.qkv_bias);
  CHECK_FALSE(config.nats);
  CHECK(config.eos.empty());
  CHECK_FALSE(config.bos);

  Json old = llama();
  old.erase("num_key_value_heads");
  CHECK(parsed(old).kv_heads == 4);
  old.erase("architectures");
  CHECK(parsed(old).architecture == "LlamaForCausalLM");
}

TEST_CASE("families differ in biases and norms") {
  Json json = llama();
  json["attention_bias"] = true;
  json["mlp_bias"] = true;
  CHECK(parsed(json).qkv_bias);
  CHECK(parsed(json).o_bias);
  CHECK(parsed(json).mlp_bias);

  const ModelConfig qwen2 = parsed(other("qwen2", "Qwen2ForCausalLM"));
  CHECK(qwen2.qkv_bias);
  CHECK_FALSE(qwen2.o_bias);
  CHECK_FALSE(qwen2.qk_norm);

  const ModelConfig qwen3 = parsed(other("qwen3", "Qwen3ForCausalLM"));
  CHECK(qwen3.qk_norm);
  CHECK_FALSE(qwen3.qkv_bias);
  CHECK(qwen3.head_dim == 128);  // what transformers takes when the key is not there

  const ModelConfig phi3 = parsed(other("phi3", "Phi3ForCausalLM"));
  CHECK(phi3.stores_fused());
  CHECK_FALSE(phi3.qkv_bias);
  CHECK_FALSE(qwen3.stores_fused());

  Json mistral = other("mistral", "MistralForCausalLM");
  mistral["head_dim"] = nullptr;
  CHECK(parsed(mistral).head_dim == 16);
}

TEST_CASE("yarn's settings, and the context that they stretch") {
  Json json = llama();
  // As the Qwen2.5 model cards write it: the context of config.json stays the original one.
  json["rope_scaling"] = {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 512}};
  CHECK(parsed(json).rope.kind == RopeKind::yarn);
  CHECK(parsed(json).context == 2048);
  CHECK(parsed(json).rope.attention_factor == doctest::Approx(1.138629436111989));
  CHECK(parsed(json).rope.beta_fast == 32.0);
  json["rope_scaling"].erase("original_max_position_embeddings");
  CHECK(parsed(json).rope.original_context == 512);
  CHECK(parsed(json).context == 2048);
  json["max_position_embeddings"] = 4096;
  json["rope_scaling"]["original_max_position_embeddings"] = 512;
  CHECK(parsed(json).context == 4096);

  json["rope_scaling"]["mscale"] = 1.0;
  CHECK(parsed(json).rope.attention_factor == doctest::Approx(1.138629436111989));
  json["rope_scaling"]["mscale_all_dim"] = 0.5;
  CHECK(parsed(json).rope.attention_factor == doctest::Approx(1.0648216253695715));
  json["rope_scaling"]["attention_factor"] = 0.75;
  CHECK(parsed(json).rope.attention_factor == 0.75);
  json["rope_scaling"]["truncate"] = false;
  CHECK_FALSE(parsed(json).rope.truncate);

  const Json once = model_config_json(parsed(json));
  CHECK(model_config_json(parsed(once)) == once);
  CHECK(once["rope_scaling"]["attention_factor"] == 0.75);
}

TEST_CASE("rope settings, old and new") {
  Json json = llama();
  json["rope_theta"] = 500000;
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 2}};
  CHECK(parsed(json).rope.theta == 500000.0);
  CHECK(parsed(json).rope.kind == RopeKind::linear);
  CHECK(parsed(json).rope.factor == 2.0);

  json["rope_scaling"] = Json::parse(R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 128})");
  CHECK(parsed(json).rope.kind == RopeKind::llama3);
  CHECK(parsed(json).rope.original_context == 128);
  json["rope_scaling"].erase("original_max_position_embeddings");
  CHECK(parsed(json).rope.original_context == 512);

  Json fresh = llama();
  fresh["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 25.0}};
  CHECK(parsed(fresh).rope.theta == 25.0);
  CHECK(parsed(fresh).rope.kind == RopeKind::none);
  fresh["rope_scaling"] = fresh["rope_parameters"];
  CHECK(parsed(fresh).rope.theta == 25.0);
  fresh["rope_parameters"]["partial_rotary_factor"] = 1.0;
  fresh["rope_scaling"] = nullptr;
  CHECK(parsed(fresh).rope.theta == 25.0);
}

TEST_CASE("a model's own sliding window limits the context") {
  Json mistral = other("mistral", "MistralForCausalLM");
  mistral["sliding_window"] = nullptr;
  mistral["max_position_embeddings"] = 32768;
  CHECK(parsed(mistral).context == 32768);
  mistral["sliding_window"] = 4096;
  CHECK(parsed(mistral).context == 4096);
  mistral.erase("sliding_window");
  CHECK(parsed(mistral).context == 4096);
  mistral["max_position_embeddings"] = 2048;
  CHECK(parsed(mistral).context == 2048);

  Json qwen = other("qwen2", "Qwen2ForCausalLM");
  qwen["max_position_embeddings"] = 32768;
  qwen["use_sliding_window"] = false;
  qwen["sliding_window"] = 64;
  CHECK(parsed(qwen).context == 32768);
  qwen["layer_types"] = {"full_attention", "full_attention", "full_attention"};
  CHECK(parsed(qwen).context == 32768);
  qwen.erase("layer_types");
  qwen["use_sliding_window"] = true;
  qwen["max_window_layers"] = 3;
  CHECK(parsed(qwen).context == 32768);
  qwen["max_window_layers"] = 2;
  qwen["sliding_window"] = 8192;
  CHECK(parsed(qwen).context == 8192);
  qwen.erase("sliding_window");
  CHECK(parsed(qwen).context == 4096);
  qwen["sliding_window"] = nullptr;
  CHECK(parsed(qwen).context == 32768);
}

TEST_CASE("settings that say off are no obstacle") {
  Json json = llama();
  json.merge_patch(Json::parse(R"({"pretraining_tp": 1, "attention_dropout": 0.1, "use_cache": true, "pad_token_id": -1,
        "transformers_version": "4.40", "torch_dtype": "bfloat16", "initializer_range": 0.02, "partial_rotary_factor": 1.0,
        "num_experts": 0, "is_encoder_decoder": false, "attn_output_gate": false, "use_qk_norm": false, "is_causal": true})"));
  json["quantization_config"] = nullptr;
  json["final_logit_softcapping"] = nullptr;
  json["no_rope_layers"] = Json::array();
  json["nats"] = nullptr;
  CHECK(parsed(json).stored_dtype == "bfloat16");
  json["dtype"] = "float32";
  CHECK(parsed(json).stored_dtype == "float32");
}

TEST_CASE("end tokens and the nats block") {
  Json json = llama();
  json["bos_token_id"] = 1;
  json["eos_token_id"] = {2, 7};
  json["nats"] = {{"window", 16}, {"global_bias", 0.1}, {"sparse_regularized_value", 1e-9}};
  const ModelConfig config = parsed(json);
  CHECK(config.bos == 1);
  CHECK(config.eos == std::vector<std::int32_t>{2, 7});
  REQUIRE(config.nats);
  CHECK(config.nats->window == 16);
  CHECK(config.nats->global_bias == 0.1);
  json["nats"] = {{"window", 0}};
  CHECK(parsed(json).nats->global_bias == 0.0);
}

TEST_CASE("what is written reads back the same") {
  Json json = llama();
  json["head_dim"] = 32;
  json["bos_token_id"] = 1;
  json["eos_token_id"] = {2, 7};
  json["tie_word_embeddings"] = true;
  json["attention_bias"] = true;
  json["mlp_bias"] = true;
  json["rope_scaling"] = Json::parse(R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 128})");
  json["nats"] = {{"window", 16}, {"global_bias", 0.1}, {"sparse_regularized_value", 1e-9}};
  for (const Json& from : {json, llama(), other("qwen2", "Qwen2ForCausalLM"), other("qwen3", "Qwen3ForCausalLM"),
                           other("mistral", "MistralForCausalLM"), other("phi3", "Phi3ForCausalLM")}) {
    const Json once = model_config_json(parsed(from));
    CHECK(model_config_json(parsed(once)) == once);
    CHECK(parsed(once).qkv_bias == parsed(from).qkv_bias);
    CHECK(parsed(once).family == parsed(from).family);
    CHECK(parsed(once).context == parsed(from).context);
    CHECK(parsed(once).head_dim == parsed(from).head_dim);
  }
}

}  // namespace
}  // namespace natscope
