// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient of the distillation against differences of the loss, on every kind of base; and what the engine makes of
// the result.
#include "core/train/distillation/distillation_model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "core/engine/engine.h"
#include "core/train/weights/adapter_export.h"
#include "tests/core/train/distillation/distillation_weights.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace natscope;
using namespace natscope::train;
using nlohmann::json;
using test::TemporaryFolder;
using test::TinyModel;

namespace {

TinyModel base_model(const json& overrides = json::object(), DType dtype = DType::f32) {
  TinyModel model(overrides, dtype);
  model.remove_score_layers();
  return model;
}

const json phi3_turned_in_part = {{"architectures", {"Phi3ForCausalLM"}},
                                  {"model_type", "phi3"},
                                  {"head_dim", 16},
                                  {"partial_rotary_factor", 0.75},
                                  {"max_position_embeddings", 256},
                                  {"original_max_position_embeddings", 64},
                                  {"rope_scaling",
                                   {{"type", "longrope"},
                                    {"short_factor", {1.0, 1.05, 1.1, 1.3, 1.9, 2.5}},
                                    {"long_factor", {1.5, 2.0, 4.0, 8.0, 16.0, 32.0}}}}};

const json smollm3 = {{"architectures", {"SmolLM3ForCausalLM"}}, {"model_type", "smollm3"}, {"no_rope_layers", {1, 0}}};
const json granite = {{"architectures", {"GraniteForCausalLM"}},
                      {"model_type", "granite"},
                      {"embedding_multiplier", 3.0},
                      {"residual_multiplier", 0.4},
                      {"attention_multiplier", 0.2},
                      {"logits_scaling", 1.5}};

struct Distilled {
  explicit Distilled(const TinyModel& source, FinetuneOptions wanted = {}) : options(std::move(wanted)) {
    std::filesystem::create_directories(folder / "base");
    source.write(folder / "base");
    options.model = folder / "base";
    options.window = 3;
    auto opened = ModelFolder::open(options.model);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? std::string() : format_error_line(opened.error())));
    base.emplace(std::move(*opened));
    auto created = DistillationModel::create(*base, options);
    REQUIRE(created.has_value());
    model.emplace(std::move(*created));
    // Sure roles: a small change of other weights does not change what is drawn.
    std::mt19937 random(3);
    weights = test::lively_weights(*model, 12.0F, random);
    model->set_weights(weights);
    for (int i = 0; i < 29; ++i) document.tokens.push_back(static_cast<std::int32_t>(3 + random() % 290));
  }

  DistillPass pass(std::vector<float>& gradient, double sparsity = 0) {
    gradient.assign(weights.size(), 0.0F);
    auto result = model->forward_backward(document, {7, 2, 0, 1.0, sparsity}, gradient, {});
    REQUIRE_MESSAGE(result.has_value(), (result ? std::string() : format_error_line(result.error())));
    return *result;
  }

  TemporaryFolder folder;
  FinetuneOptions options;
  std::optional<ModelFolder> base;
  std::optional<DistillationModel> model;
  std::vector<float> weights;
  Document document;
};

/// Largest relative error of directional derivatives over everything but the score layers.
double worst_direction(Distilled& run) {
  std::vector<float> gradient;
  run.pass(gradient);
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  double worst = 0;
  for (int trial = 0; trial < 4; ++trial) {
    std::vector<float> direction(run.weights.size(), 0.0F);
    double predicted = 0, steepness = 0;
    for (const Parameter& p : run.model->layout().parameters) {
      if (p.kind == ParameterKind::score) continue;
      for (std::int64_t i = 0; i < p.elements; ++i) {
        const auto at = static_cast<std::size_t>(p.offset + i);
        // Half along the gradient, so that the derivative is far from zero.
        direction[at] = normal(random) * 0.3F + (gradient[at] > 0 ? 1.0F : -1.0F);
        predicted += static_cast<double>(direction[at]) * static_cast<double>(gradient[at]);
        steepness += std::abs(static_cast<double>(gradient[at]));
      }
    }
    REQUIRE(steepness > 0);
    const auto loss_at = [&](float step) {
      std::vector<float> moved = run.weights;
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
      run.model->set_weights(moved);
      std::vector<float> unused;
      return run.pass(unused).distance;
    };
    // Small enough, and the noise such, that no role flips on the way: that would be a jump.
    constexpr float step = 1.2e-4F;
    const double found = (loss_at(step) - loss_at(-step)) / (2.0 * static_cast<double>(step));
    run.model->set_weights(run.weights);
    worst = std::max(worst, std::abs(found - predicted) / std::abs(predicted));
  }
  return worst;
}

}  // namespace

TEST_CASE("the gradient is the derivative of the loss, on every kind of base") {
  const std::pair<const char*, json> bases[] = {
      {"llama", json::object()},
      {"tied", {{"tie_word_embeddings", true}}},
      {"mistral", {{"architectures", {"MistralForCausalLM"}}, {"model_type", "mistral"}}},
      {"phi3", {{"architectures", {"Phi3ForCausalLM"}}, {"model_type", "phi3"}}},
      {"phi3, turned in part", phi3_turned_in_part},
      {"qwen2", {{"architectures", {"Qwen2ForCausalLM"}}, {"model_type", "qwen2"}}},
      {"qwen3", {{"architectures", {"Qwen3ForCausalLM"}}, {"model_type", "qwen3"}}},
      {"smollm3", smollm3},
      {"granite", granite},
  };
  for (const auto& [name, overrides] : bases) {
    CAPTURE(std::string(name));
    FinetuneOptions options;
    options.trained = Trained::lora;
    options.lora_targets = {"q_proj", "k_proj", "v_proj", "o_proj"};
    options.lora_rank = 3;
    Distilled lora(base_model(overrides), options);
    CHECK(worst_direction(lora) < 2e-3);
    options.trained = Trained::all;
    Distilled all(base_model(overrides), options);
    CHECK(worst_direction(all) < 2e-3);
  }
}

TEST_CASE("pieces of rows change nothing, and neither does what is not counted") {
  FinetuneOptions options;
  options.trained = Trained::all;
  Distilled whole(base_model(), options);
  options.rows = 5;
  Distilled pieces(base_model(), options);
  std::vector<float> one, other;
  const DistillPass first = whole.pass(one);
  const DistillPass second = pieces.pass(other);
  CHECK(first.distance == doctest::Approx(second.distance).epsilon(1e-5));
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    error = std::max(error, static_cast<double>(std::abs(one[i] - other[i])));
    largest = std::max(largest, static_cast<double>(std::abs(one[i])));
  }
  CHECK(error < 1e-4 * largest);

  // One position counts: the loss is its difference alone, and what comes after it does not matter.
  whole.document.counted.assign(whole.document.tokens.size(), 0);
  whole.document.counted[4] = 1;
  CHECK(whole.pass(one).distance != doctest::Approx(first.distance));
  std::int64_t touched = 0;
  for (std::size_t token = 5; token < whole.document.tokens.size(); ++token) {
    const auto& p = whole.model->layout().parameters.front();
    REQUIRE(p.name == "model.embed_tokens.weight");
    const auto row = whole.document.tokens[token];
    bool is_before = false;
    for (std::size_t i = 0; i <= 4; ++i) is_before = is_before || whole.document.tokens[i] == row;
    if (!is_before && one[static_cast<std::size_t>(p.offset + row * p.shape[1])] != 0) ++touched;
  }
  CHECK(touched == 0);
}

TEST_CASE("the regulariser reaches the score layers alone, and positions 0 and T - 1 get no gradient") {
  Distilled run(base_model());
  std::vector<float> without, with;
  run.pass(without);
  run.pass(with, 0.5);
  double moved = 0;
  for (std::size_t i = 0; i < with.size(); ++i) moved += std::abs(static_cast<double>(with[i] - without[i]));
  CHECK(moved > 0);
  run.document.tokens.resize(2);  // both positions are forced
  run.pass(with, 0.5);
  for (const float value : with) CHECK(value == 0.0F);
}

TEST_CASE("with every role global the student is the teacher, and a wide window comes near") {
  Distilled run(base_model());
  for (const Parameter& p : run.model->layout().parameters) {
    for (std::int64_t i = 0; i < p.elements; ++i) run.weights[static_cast<std::size_t>(p.offset + i)] = 0;
  }
  run.model->set_weights(run.weights);  // ties go to global
  const auto equal = run.model->evaluate(run.document, {});
  REQUIRE(equal.has_value());
  CHECK(equal->distance < 1e-10);
  CHECK(equal->nll == doctest::Approx(equal->full_nll));
  CHECK(kv_fraction(equal->argmax.total()) == 1.0);
}

TEST_CASE("the engine on base and adapter computes what evaluate() says") {
  for (const auto& [overrides, dtype] : {std::pair{json::object(), DType::f32},
                                         {json::object(), DType::bf16},
                                         {phi3_turned_in_part, DType::f32},
                                         {smollm3, DType::f32},
                                         {granite, DType::f32}}) {
    CAPTURE(overrides.dump());
    FinetuneOptions options;
    options.trained = Trained::lora;
    options.lora_rank = 2;
    Distilled run(base_model(overrides, dtype), options);
    const auto expected = run.model->evaluate(run.document, {});
    REQUIRE(expected.has_value());
    REQUIRE(export_finetuned(run.folder / "adapter", *run.base, run.options, run.model->layout(), run.weights));
    EngineOptions engine_options;
    engine_options.model = run.folder / "base";
    engine_options.adapter = run.folder / "adapter";
    auto engine = Engine::open(engine_options, {});
    REQUIRE_MESSAGE(engine.has_value(), (engine ? std::string() : format_error_line(engine.error())));
    double nll = 0;
    PrefillOptions prefill;
    prefill.on_logits = [&](TokenPos first, std::int64_t n, std::span<const float> rows) -> Expected<void> {
      const std::size_t vocab = rows.size() / static_cast<std::size_t>(n);
      for (std::int64_t row = 0; row < n; ++row) {
        const auto next = static_cast<std::size_t>(first.value + row + 1);
        if (next >= run.document.tokens.size()) break;
        const auto logits = rows.subspan(static_cast<std::size_t>(row) * vocab, vocab);
        double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
        nll += std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(run.document.tokens[next])]);
      }
      return {};
    };
    REQUIRE((*engine)->prefill(run.document.tokens, prefill, {}));
    CHECK(nll == doctest::Approx(expected->nll).epsilon(1e-4));
    CHECK((*engine)->counts().fraction == doctest::Approx(kv_fraction(expected->argmax.total())));
  }
}

TEST_CASE("a base with score layers is refused") {
  TemporaryFolder folder;
  std::filesystem::create_directories(folder / "base");
  TinyModel().write(folder / "base");
  auto base = ModelFolder::open(folder / "base");
  REQUIRE(base.has_value());
  const auto model = DistillationModel::create(*base, {});
  REQUIRE(!model.has_value());
  CHECK(model.error().code == ErrorCode::unsupported_model);
}
