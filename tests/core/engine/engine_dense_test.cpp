// SPDX-License-Identifier: GPL-3.0-or-later
// The engine against the dense computation: prefill in any chunks, steps, roles from everywhere, every policy.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/core/engine/engine_run.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::dense_forward;
using test::DenseOptions;
using test::DenseResult;
using test::EngineRun;
using test::prefill_all;
using test::random_tokens;
using test::relative_error;
using test::require_ok;
using test::Table;
using test::TinyModel;
using test::value_of;

constexpr double tolerance = 1e-4;

json shape(int heads, int kv_heads, int head_dim, int window) {
  return {{"num_attention_heads", heads},
          {"num_key_value_heads", kv_heads},
          {"head_dim", head_dim},
          {"nats", {{"window", window}}}};
}

/// Prefill of the first part, steps through the rest; logits of all tokens.
Table<float> prefill_and_step(Engine& engine, const std::vector<std::int32_t>& tokens, std::size_t prompt,
                              std::int64_t chunk) {
  Table<float> rows =
      prefill_all(engine, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(prompt)}, chunk);
  for (std::size_t t = prompt; t < tokens.size(); ++t) {
    require_ok(engine.step(tokens[t], true, 0, {}));
    rows.emplace_back(engine.logits().begin(), engine.logits().end());
  }
  return rows;
}

void check_model(const TinyModel& model, const RolePlan& plan, const DenseOptions& options,
                 EngineOptions engine_options = {}, double allowed = tolerance) {
  const std::vector<std::int32_t> tokens = random_tokens(41, 5);
  const DenseResult truth = dense_forward(model, tokens, options);
  const EngineRun run(model, engine_options);
  for (const std::int64_t chunk : {1, 3, 16, 41}) {
    for (const std::size_t prompt : {std::size_t{1}, std::size_t{20}, tokens.size()}) {
      CAPTURE(chunk);
      CAPTURE(prompt);
      require_ok(run.engine->start(plan));
      const Table<float> logits = prefill_and_step(*run.engine, tokens, prompt, chunk);
      REQUIRE(logits.size() == tokens.size());
      CHECK(relative_error(logits, truth.logits) < allowed);
      if (allowed == tolerance) test::check_record(*run.engine, truth);
    }
  }
}

TEST_CASE("every shape of heads gives the dense logits, roles and entries") {
  for (const auto& [heads, kv_heads, head_dim] :
       {std::tuple{4, 4, 8}, {4, 2, 10}, {4, 1, 16}, {2, 2, 64}, {2, 1, 128}, {6, 3, 24}}) {
    CAPTURE(heads);
    CAPTURE(kv_heads);
    CAPTURE(head_dim);
    check_model(TinyModel(shape(heads, kv_heads, head_dim, 4)), {}, {});
  }
}

TEST_CASE("every window, 0 included, from the model and from the plan") {
  const TinyModel model(shape(4, 2, 8, 0), DType::f32, 11);
  check_model(model, {}, {});
  for (const int window : {1, 2, 7, 40, 1000}) {
    CAPTURE(window);
    RolePlan plan;
    plan.window = window;
    DenseOptions options;
    options.window = window;
    check_model(model, plan, options);
  }
}

TEST_CASE("biases, q/k norms, tied embeddings and stored types") {
  check_model(
      TinyModel(json::object({{"model_type", "qwen3"}, {"architectures", {"Qwen3ForCausalLM"}}, {"head_dim", 16}})), {},
      {});
  check_model(
      TinyModel(json::object({{"model_type", "qwen2"}, {"architectures", {"Qwen2ForCausalLM"}}, {"head_dim", 8}})), {},
      {});
  check_model(TinyModel(json::object({{"attention_bias", true}, {"mlp_bias", true}})), {}, {});
  check_model(TinyModel(json::object({{"tie_word_embeddings", true}})), {}, {});
  check_model(TinyModel(json::object(), DType::bf16), {}, {});
  check_model(TinyModel(json::object(), DType::f16), {}, {});
}

TEST_CASE("a model whose matrices are stored together gives the bits of its twin with one a tensor") {
  const TinyModel apart;
  const TinyModel together(json::object({{"model_type", "phi3"}, {"architectures", {"Phi3ForCausalLM"}}}));
  const auto tokens = random_tokens(40, 5);
  for (const auto dtype : {kernels::ElementType::f32, kernels::ElementType::bf16}) {
    EngineRun one(apart, {.dtype = dtype}), other(together, {.dtype = dtype});
    require_ok(one.engine->start({}));
    require_ok(other.engine->start({}));
    CHECK(prefill_all(*one.engine, tokens, 16) == prefill_all(*other.engine, tokens, 16));
  }
}

TEST_CASE("a bf16 engine stays within bf16 rounding of the dense computation") {
  // Roles are set, so that rounding cannot tip one over and change what is seen.
  RolePlan plan;
  plan.policy = value_of(parse_policy("streaming:2,5"));
  const DenseOptions options{5, [](int, int, int position) { return position < 2 ? 0 : 2; }};
  for (const DType stored : {DType::f32, DType::bf16}) {
    check_model(TinyModel(json::object(), stored), plan, options, {.dtype = kernels::ElementType::bf16}, 0.06);
  }
}

TEST_CASE("policies give the roles that their rules say") {
  const TinyModel model;
  const auto check = [&](const char* policy, int window, int (*role)(int)) {
    CAPTURE(policy);
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    check_model(model, plan, {window, [role](int, int, int position) { return role(position); }});
  };
  check("full", 0, [](int) { return 0; });
  check("window:6", 6, [](int) { return 2; });
  check("window:0", 0, [](int) { return 2; });
  check("longformer:3,0,5,17", 3, [](int n) { return n == 0 || n == 5 || n == 17 ? 0 : 2; });
  check("streaming:4,8", 8, [](int n) { return n < 4 ? 0 : 2; });
}

TEST_CASE("equal scores go to the lowest role, whichever head and however many tokens at once") {
  const std::vector<std::int32_t> tokens = random_tokens(60, 7);
  for (const int kv_heads : {1, 2, 3, 5}) {
    for (const DType stored : {DType::f32, DType::bf16}) {
      CAPTURE(kv_heads);
      json overrides = shape(kv_heads, kv_heads, 8, 4);
      overrides["hidden_size"] = 48;
      overrides["nats"]["global_bias"] = 0.0;
      TinyModel model(overrides, stored);
      // Of each head, the row of sliding becomes that of local.
      for (const char* const name :
           {"model.layers.0.self_attn.proj_layer.weight", "model.layers.1.self_attn.proj_layer.weight"}) {
        test::TinyTensor& rows = model.tensor(name);
        const std::size_t row_bytes = rows.bytes.size() / static_cast<std::size_t>(3 * kv_heads);
        for (std::size_t head = 0; head < static_cast<std::size_t>(kv_heads); ++head)
          rows.bytes.replace((3 * head + 2) * row_bytes, row_bytes, rows.bytes, (3 * head + 1) * row_bytes, row_bytes);
      }
      const EngineRun run(model);
      for (const std::int64_t chunk : {1, 5, 60}) {
        CAPTURE(chunk);
        require_ok(run.engine->start({}));
        (void)prefill_all(*run.engine, tokens, chunk);
        bool are_equal = true, has_local = false, has_sliding = false;
        for (const TokenFrame& frame : run.engine->record().frames()) {
          for (std::size_t head = 0; head < frame.roles.size(); ++head) {
            are_equal = are_equal && frame.scores[3 * head + 1] == frame.scores[3 * head + 2];
            has_local = has_local || frame.roles[head] == Role::local;
            has_sliding = has_sliding || frame.roles[head] == Role::sliding;
          }
        }
        CHECK(are_equal);
        CHECK(has_local);
        CHECK_FALSE(has_sliding);
      }
    }
  }
}

TEST_CASE("a model without score layers sees everything") {
  TinyModel model;
  for (int layer = 0; layer < 2; ++layer)
    model.remove("model.layers." + std::to_string(layer) + ".self_attn.proj_layer.weight");
  model.config.erase("nats");
  check_model(model, {}, {{}, [](int, int, int) { return 0; }});
}

TEST_CASE("forced roles win over a role array, and that over the policy") {
  const TinyModel model;
  RolePlan plan;
  plan.roles = RoleArray{2, 2, 41, {}};
  for (int n = 0; n < 2 * 2 * 41; ++n) plan.roles->roles.push_back(static_cast<Role>((n * 7 + n / 41) % 3));
  plan.forced = {{LayerId(0), KvHeadId(1), TokenPos(0), Role::sliding},
                 {LayerId(1), KvHeadId(0), TokenPos(9), Role::local},
                 {LayerId(1), KvHeadId(0), TokenPos(30), Role::global}};
  const DenseOptions options{{}, [](int layer, int head, int n) {
                               if (layer == 0 && head == 1 && n == 0) return 2;
                               if (layer == 1 && head == 0 && n == 9) return 1;
                               if (layer == 1 && head == 0 && n == 30) return 0;
                               const int index = (layer * 2 + head) * 41 + n;
                               return (index * 7 + index / 41) % 3;
                             }};
  check_model(model, plan, options);

  plan.roles->length = 40;
  plan.roles->roles.resize(2 * 2 * 40);
  const EngineRun run(model);
  require_ok(run.engine->start(plan));
  const auto refused = run.engine->prefill(random_tokens(41, 1), {}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::bad_roles);
  CHECK(run.engine->record().size() == 0);
}

TEST_CASE("H2O keeps the heavy hitters of a naive simulation") {
  for (const auto& [heavy, recent] : {std::pair{4, 4}, {0, 3}, {5, 0}, {0, 0}, {100, 100}, {1, 7}}) {
    CAPTURE(heavy);
    CAPTURE(recent);
    RolePlan plan;
    plan.policy = value_of(parse_policy("h2o:" + std::to_string(heavy) + "," + std::to_string(recent)));
    DenseOptions options;
    options.heavy = heavy;
    options.recent = recent;
    check_model(TinyModel(), plan, options);
  }
}

TEST_CASE("TOVA keeps what a naive simulation says, the same in all heads of a layer") {
  for (const int size : {0, 1, 8, 23, 200}) {
    CAPTURE(size);
    RolePlan plan;
    plan.policy = value_of(parse_policy("tova:" + std::to_string(size)));
    DenseOptions options;
    options.heavy = size;
    options.of_last_query = true;
    check_model(TinyModel(), plan, options);
  }
}

TEST_CASE("TOVA, whose heads decide together, takes no roles that are set by hand") {
  const EngineRun run((TinyModel()));
  RolePlan plan;
  plan.policy = value_of(parse_policy("tova:3"));
  plan.forced = {{LayerId(0), KvHeadId(1), TokenPos(2), Role::local}};
  const auto started = run.engine->start(plan);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::usage);
  require_ok(run.engine->prefill(random_tokens(5, 1), {}, {}));
}

TEST_CASE("greedy generation through the cache is the dense argmax") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const TinyModel model(json::object({{"eos_token_id", 2}}), DType::f32, seed);
    const EngineRun run(model);
    std::vector<std::int32_t> tokens = random_tokens(9, seed);
    require_ok(run.engine->prefill(tokens, {.chunk = 4}, {}));
    GenerateOptions options;
    options.max_new_tokens = 20;
    options.sampling.greedy = true;
    const GenerateResult result = value_of(run.engine->generate(options, {}));
    for (const std::int32_t token : result.tokens) {
      const std::vector<double> logits = dense_forward(model, tokens).logits.back();
      CHECK(token == std::ranges::max_element(logits) - logits.begin());
      tokens.push_back(token);
    }
    CHECK(run.engine->record().size() == 9 + static_cast<std::int64_t>(result.tokens.size()));
  }
}

}  // namespace
}  // namespace natscope
