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

TEST_CASE("Phi-3's part of each head, and LongRoPE") {
  // The keys of the published Phi-4-mini, its sizes scaled down.
  Json json = Json::parse(R"({"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "attention_bias": false,
        "attention_dropout": 0.0, "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}, "bos_token_id": 1,
        "embd_pdrop": 0.0, "eos_token_id": 2, "full_attn_mod": 1, "hidden_act": "silu", "hidden_size": 64,
        "initializer_range": 0.02, "intermediate_size": 128, "interpolate_factor": 1, "lm_head_bias": false,
        "max_position_embeddings": 131072, "mlp_bias": false, "num_attention_heads": 4, "num_hidden_layers": 3,
        "num_key_value_heads": 2, "original_max_position_embeddings": 4096, "pad_token_id": 2,
        "partial_rotary_factor": 0.75, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
        "rope_scaling": {"long_factor": [1, 1.118320672, 1.250641126, 1.398617824, 1.564103225, 1.74916897],
                         "short_factor": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], "type": "longrope"},
        "rope_theta": 10000.0, "sliding_window": 262144, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0", "use_cache": true, "vocab_size": 1000})");
  const ModelConfig phi4 = parsed(json);
  CHECK(phi4.rotated_dim(0) == 12);
  CHECK(phi4.rope.kind == RopeKind::longrope);
  CHECK(phi4.context == 4096);
  CHECK(phi4.longest_context == 131072);
  CHECK(phi4.rope.long_factor[1] == 1.118320672);
  CHECK(phi4.rope.attention_factor == doctest::Approx(1.1902380714238083));
  CHECK(phi4.tied);
  for (const char* const name : {"su", "yarn"}) {  // as old files call it, and transformers takes it
    json["rope_scaling"]["type"] = name;
    CHECK(parsed(json).rope.kind == RopeKind::longrope);
  }
  const Json once = model_config_json(phi4);
  CHECK(model_config_json(parsed(once)) == once);
  CHECK(parsed(once).context == 4096);
  CHECK(parsed(once).longest_context == 131072);
  CHECK(parsed(once).rope.attention_factor == phi4.rope.attention_factor);
  CHECK(parsed(once).rotated_dim(2) == 12);

  json["sliding_window"] = 2047;  // what it hides nothing within
  CHECK(parsed(json).context == 2047);
  json["sliding_window"] = 8192;
  CHECK(parsed(json).context == 4096);
  CHECK(parsed(json).longest_context == 8192);
  json["rope_scaling"]["factor"] = 2.0;
  CHECK(parsed(json).rope.attention_factor == doctest::Approx(1.0408329997330663));
  json["rope_scaling"]["factor"] = 0.5;
  CHECK(parsed(json).rope.attention_factor == 1.0);
  json["rope_scaling"]["attention_factor"] = 1.5;
  CHECK(parsed(json).rope.attention_factor == 1.5);
  json["max_position_embeddings"] = 2048;
  CHECK(parsed(json).context == 2048);
  json.erase("original_max_position_embeddings");  // 4096, whatever else is said
  CHECK(parsed(json).rope.original_context == 4096);

  json.erase("rms_norm_eps");
  CHECK(parsed(json).rms_norm_eps == 1e-5);

  // As transformers 5 writes it.
  Json fresh = other("phi3", "Phi3ForCausalLM");
  fresh["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500.0}, {"partial_rotary_factor", 0.5}};
  CHECK(parsed(fresh).rotated_dim(0) == 8);
  CHECK(parsed(fresh).rope.theta == 500.0);
}

TEST_CASE("a context that is asked for") {
  Json json = other("phi3", "Phi3ForCausalLM");
  json["max_position_embeddings"] = 131072;
  json["rope_scaling"] = {{"type", "longrope"},
                          {"short_factor", Json::array({1, 1, 1, 1, 1, 1, 1, 1})},
                          {"long_factor", Json::array({2, 2, 2, 2, 2, 2, 2, 2})}};
  const auto opened = [&](int context) { return parse_model_config(json, context).value(); };
  CHECK(opened(0).context == 4096);
  CHECK_FALSE(opened(0).rope.beyond_original);
  CHECK(opened(1000).context == 1000);
  CHECK_FALSE(opened(4096).rope.beyond_original);
  CHECK(opened(4097).rope.beyond_original);
  CHECK(opened(4097).context == 4097);
  CHECK(opened(131072).context == 131072);
  CHECK(opened(131072).longest_context == 131072);
  CHECK(opened(4097).rope.attention_factor == opened(0).rope.attention_factor);
  CHECK(parse_model_config(json, 131073).error().code == ErrorCode::usage);

  CHECK(parse_model_config(llama(), 100).value().context == 100);
  CHECK(parse_model_config(llama(), 100).value().longest_context == 512);
  CHECK(parse_model_config(llama(), 513).error().code == ErrorCode::usage);
}

TEST_CASE("SmolLM3's layers without positions") {
  // The keys of the published SmolLM3-3B, its sizes scaled down.
  Json json =
      Json::parse(R"({"architectures": ["SmolLM3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "bos_token_id": null, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02,
        "intermediate_size": 128, "layer_types": ["full_attention", "full_attention", "full_attention",
        "full_attention", "full_attention"], "max_position_embeddings": 65536, "max_window_layers": 28,
        "mlp_bias": false, "model_type": "smollm3", "no_rope_layer_interval": 4, "no_rope_layers": [1, 1, 1, 0, 1],
        "num_attention_heads": 4, "num_hidden_layers": 5, "num_key_value_heads": 2, "pad_token_id": 4,
        "pretraining_tp": 2, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 5000000.0,
        "sliding_window": null, "torch_dtype": "bfloat16", "transformers_version": "4.54.0.dev0", "use_cache": false,
        "use_sliding_window": false, "vocab_size": 1000})");
  const ModelConfig smol = parsed(json);
  CHECK(smol.family == ModelFamily::smollm3);
  CHECK(smol.rotated_layers == std::vector<bool>{true, true, true, false, true});
  CHECK(smol.rotated_dim(2) == 16);
  CHECK(smol.rotated_dim(3) == 0);
  CHECK(smol.tied);  // what transformers takes when the key is not there
  CHECK(smol.context == 65536);
  CHECK(smol.rope.theta == 5e6);
  CHECK_FALSE(smol.qk_norm);
  const Json once = model_config_json(smol);
  CHECK(model_config_json(parsed(once)) == once);
  CHECK(parsed(once).rotated_layers == smol.rotated_layers);

  json["no_rope_layers"] = Json::array({0, 1, 1, 1, 1, 0, 0});  // more than there are layers
  CHECK(parsed(json).rotated_layers == std::vector<bool>{false, true, true, true, true});
  json.erase("no_rope_layers");
  CHECK(parsed(json).rotated_layers == smol.rotated_layers);
  json["no_rope_layer_interval"] = 2;
  CHECK(parsed(json).rotated_layers == std::vector<bool>{true, false, true, false, true});
  json.erase("no_rope_layer_interval");
  CHECK(parsed(json).rotated_layers == smol.rotated_layers);
  json.erase("rope_theta");
  CHECK(parsed(json).rope.theta == 2e6);
  json["attention_bias"] = true;
  json["mlp_bias"] = true;
  CHECK(parsed(json).qkv_bias);
  CHECK(parsed(json).o_bias);
  CHECK(parsed(json).mlp_bias);
  json["use_sliding_window"] = true;
  CHECK(parsed(json).context == 65536);  // layer_types says that none slides
  json.erase("layer_types");
  json["sliding_window"] = 2048;
  CHECK(parsed(json).context == 2048);
  json["sliding_window"] = nullptr;
  CHECK(parsed(json).context == 65536);

  CHECK(parsed(other("llama", "LlamaForCausalLM")).rotated_layers.empty());
}

TEST_CASE("Granite's multipliers") {
  // The keys of the published Granite 3.1 2B, its sizes scaled down.
  Json json =
      Json::parse(R"({"architectures": ["GraniteForCausalLM"], "attention_bias": false, "attention_dropout": 0.1,
        "attention_multiplier": 0.015625, "bos_token_id": 0, "embedding_multiplier": 12.0, "eos_token_id": 0,
        "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 128,
        "logits_scaling": 8.0, "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "granite",
        "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2, "pad_token_id": 0,
        "residual_multiplier": 0.22, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 5000000.0,
        "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.47.0.dev0",
        "use_cache": true, "vocab_size": 1000})");
  const ModelConfig granite = parsed(json);
  CHECK(granite.family == ModelFamily::granite);
  CHECK(granite.embedding_multiplier == 12.0);
  CHECK(granite.residual_multiplier == 0.22);
  CHECK(granite.logits_scaling == 8.0);
  CHECK(granite.attention_multiplier == 0.015625);
  CHECK(granite.embedding_scale() == doctest::Approx(54.545454545454547));
  CHECK(granite.stream_norm_eps() == doctest::Approx(1e-5 / 0.0484));
  const Json once = model_config_json(granite);
  CHECK(model_config_json(parsed(once)) == once);
  CHECK(parsed(once).attention_multiplier == granite.attention_multiplier);
  CHECK(parsed(once).residual_multiplier == granite.residual_multiplier);

  for (const char* const key :
       {"embedding_multiplier", "residual_multiplier", "logits_scaling", "attention_multiplier", "num_key_value_heads"})
    json.erase(key);
  CHECK(parsed(json).attention_multiplier == 1.0);  // what transformers takes, not 1/sqrt(D)
  CHECK(parsed(json).embedding_scale() == 1.0);
  CHECK(parsed(json).kv_heads == 4);
  CHECK_FALSE(parsed(llama()).attention_multiplier);
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
