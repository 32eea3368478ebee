// SPDX-License-Identifier: GPL-3.0-or-later
// What some families do and others do not, against the dense computation, on the CPU and on a device of ordinary
// memory: prompts in chunks, and steps.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/core/engine/device_run.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::dense_forward;
using test::DenseResult;
using test::EngineRun;
using test::prefill_all;
using test::random_tokens;
using test::relative_error;
using test::require_ok;
using test::Table;
using test::TinyModel;
using test::TinyTensor;

/// With a tensor for each projection, as the dense model reads them; Phi-3's files have several in one.
TinyModel apart(TinyModel model) {
  const std::int64_t head_dim = model.config["head_dim"];
  const std::int64_t q = model.config["num_attention_heads"].get<std::int64_t>() * head_dim;
  const std::int64_t kv = model.config["num_key_value_heads"].get<std::int64_t>() * head_dim;
  const std::int64_t inner = model.config["intermediate_size"];
  struct Part {
    std::string whole, name;
    std::int64_t first, rows;
  };
  const std::vector<Part> parts = {{"self_attn.qkv_proj", "self_attn.q_proj", 0, q},
                                   {"self_attn.qkv_proj", "self_attn.k_proj", q, kv},
                                   {"self_attn.qkv_proj", "self_attn.v_proj", q + kv, kv},
                                   {"mlp.gate_up_proj", "mlp.gate_proj", 0, inner},
                                   {"mlp.gate_up_proj", "mlp.up_proj", inner, inner}};
  std::vector<TinyTensor> tensors;
  for (const TinyTensor& tensor : model.tensors) {
    bool is_whole = true;
    for (const Part& part : parts) {
      const std::size_t place = tensor.name.find(part.whole);
      if (place == std::string::npos) continue;
      is_whole = false;
      const std::size_t row_bytes = tensor.bytes.size() / static_cast<std::size_t>(tensor.shape[0]);
      tensors.push_back({tensor.name.substr(0, place) + part.name + ".weight",
                         tensor.dtype,
                         {part.rows, tensor.shape[1]},
                         tensor.bytes.substr(static_cast<std::size_t>(part.first) * row_bytes,
                                             static_cast<std::size_t>(part.rows) * row_bytes)});
    }
    if (is_whole) tensors.push_back(tensor);
  }
  model.tensors = std::move(tensors);
  return model;
}

/// `context`: that the model is opened for, beyond LongRoPE's original one.
void check_model(const char* type, const char* architecture, const json& overrides, int context = 0) {
  json config = {{"model_type", type}, {"architectures", {architecture}}};
  config.merge_patch(overrides);
  CAPTURE(config.dump());
  const TinyModel model(config);
  const std::vector<std::int32_t> tokens = random_tokens(41, 5);
  TinyModel plain = apart(model);
  if (context > 0) plain.config["rope_scaling"]["short_factor"] = plain.config["rope_scaling"]["long_factor"];
  const DenseResult truth = dense_forward(plain, tokens);
  for (const bool is_on_device : {false, true}) {
    CAPTURE(is_on_device);
    EngineOptions options = is_on_device ? test::on_device() : EngineOptions{.device = Device::cpu};
    options.context = context;
    const EngineRun run(model, options);
    for (const std::size_t prompt : {std::size_t{20}, tokens.size()}) {
      require_ok(run.engine->start({}));
      Table<float> logits =
          prefill_all(*run.engine, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(prompt)}, 16);
      for (std::size_t t = prompt; t < tokens.size(); ++t) {
        require_ok(run.engine->step(tokens[t], true, 0, {}));
        logits.emplace_back(run.engine->logits().begin(), run.engine->logits().end());
      }
      CHECK(relative_error(logits, truth.logits) < 1e-4);
      test::check_record(*run.engine, truth);
    }
  }
}

TEST_CASE("Phi-3: heads of which a part is turned, and LongRoPE's frequencies") {
  const auto check_phi3 = [](const json& overrides) { check_model("phi3", "Phi3ForCausalLM", overrides); };
  check_phi3({{"head_dim", 16}, {"partial_rotary_factor", 0.75}});
  check_phi3({{"head_dim", 64}, {"partial_rotary_factor", 0.25}});
  json longrope = {{"head_dim", 16},
                   {"max_position_embeddings", 2048},
                   {"original_max_position_embeddings", 64},
                   {"partial_rotary_factor", 0.75},
                   {"rope_scaling",
                    {{"type", "longrope"},
                     {"short_factor", {1.0, 1.05, 1.1, 1.3, 1.9, 2.5}},
                     {"long_factor", {1.5, 2.0, 4.0, 8.0, 16.0, 32.0}}}}};
  check_phi3(longrope);
  check_model("phi3", "Phi3ForCausalLM", longrope, 65);
  longrope.erase("partial_rotary_factor");
  longrope["rope_scaling"]["short_factor"] = {1.0, 1.05, 1.1, 1.3, 1.9, 2.5, 3.0, 3.5};
  longrope["rope_scaling"]["long_factor"] = longrope["rope_scaling"]["short_factor"];
  check_phi3(longrope);
}

TEST_CASE("SmolLM3: layers that know no positions") {
  const auto check_smollm3 = [](const json& overrides) { check_model("smollm3", "SmolLM3ForCausalLM", overrides); };
  check_smollm3({{"num_hidden_layers", 3}, {"no_rope_layers", {1, 0, 1}}, {"tie_word_embeddings", true}});
  check_smollm3(
      {{"num_hidden_layers", 3}, {"no_rope_layers", {0, 1, 0}}, {"attention_bias", true}, {"mlp_bias", true}});
  check_smollm3({{"no_rope_layers", {0, 0}}});
  check_smollm3({{"num_hidden_layers", 4}, {"no_rope_layer_interval", 2}});
  check_smollm3({{"num_hidden_layers", 5}});  // the fourth
}

TEST_CASE("Granite: multipliers of embeddings, scores and layers, and of logits") {
  const auto check_granite = [](const json& overrides) { check_model("granite", "GraniteForCausalLM", overrides); };
  check_granite({{"embedding_multiplier", 12.0},
                 {"residual_multiplier", 0.22},
                 {"attention_multiplier", 0.125},
                 {"logits_scaling", 8.0},
                 {"tie_word_embeddings", true}});
  check_granite({{"head_dim", 10}, {"attention_multiplier", 0.5}, {"attention_bias", true}, {"mlp_bias", true}});
  check_granite({{"residual_multiplier", 3.0}, {"rms_norm_eps", 0.1}, {"attention_multiplier", 0.03}});
  check_granite({{"logits_scaling", 0.7}, {"embedding_multiplier", 0.3}});  // scores times 1
}

TEST_CASE("Granite's multipliers cost a bf16 engine no more than rounding") {
  const TinyModel model({{"model_type", "granite"},
                         {"architectures", {"GraniteForCausalLM"}},
                         {"embedding_multiplier", 12.0},
                         {"residual_multiplier", 0.22},
                         {"attention_multiplier", 0.125},
                         {"logits_scaling", 8.0}});
  const std::vector<std::int32_t> tokens = random_tokens(41, 5);
  const DenseResult truth = dense_forward(model, tokens, {{}, [](int, int, int) { return 0; }});
  RolePlan plan;
  plan.policy.kind = Policy::Kind::full;
  const EngineRun run(model, {.device = Device::cpu, .dtype = kernels::ElementType::bf16});
  require_ok(run.engine->start(plan));
  CHECK(relative_error(prefill_all(*run.engine, tokens, 16), truth.logits) < 0.06);
}

}  // namespace
}  // namespace natscope
