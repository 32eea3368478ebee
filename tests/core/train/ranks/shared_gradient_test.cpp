// SPDX-License-Identifier: GPL-3.0-or-later
// Passes that run on a device of LibTorch's, a step of theirs shared by two ranks: one whole step.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/train/passes/gradient_all_reduce.h"
#include "core/train/passes/training_model.h"
#include "tests/core/train/ranks/thread_ranks.h"

using namespace natscope;
using namespace natscope::train;

namespace {

constexpr int context_tokens = 24;
constexpr int segments = 2;

ModelConfig small_config() {
  TrainOptions options;
  options.data = "text";
  options.layers = 3;
  options.hidden = 32;
  options.heads = 4;
  options.kv_heads = 2;
  options.context = context_tokens;
  options.window = 3;
  options.vocab = 300;
  return model_config(*resolve(options));
}

struct Text {
  std::vector<std::int32_t> tokens, targets;
};

Text text() {
  Text made;
  std::mt19937 random(4);
  for (int i = 0; i < segments * context_tokens; ++i) {
    made.tokens.push_back(static_cast<std::int32_t>(random() % 300));
    made.targets.push_back(static_cast<std::int32_t>(random() % 300));
  }
  return made;
}

struct Step {
  std::string problem;
  double gradient_norm = 0;
  std::vector<float> weights;
  std::vector<std::pair<std::int64_t, std::int64_t>> told;
  std::int64_t size = 0;
  std::vector<std::int64_t> layers;  // where each begins
};

Expected<void> take(RankGroup& ranks, Step& step) {
  const int each = segments / ranks.size();
  NATSCOPE_TRY(auto model, TrainingModel::create(small_config(), kernels::ElementType::f32, each, 1,
                                                 kernels::Backend::cpu, {}, PassesOn::libtorch));
  DeviceTrainingState& state = *model.device_state();
  if (ranks.size() > 1) NATSCOPE_CHECK(state.join(ranks));
  TrainingState begin;
  begin.weights = initial_parameters(small_config(), model.layout(), 5);
  begin.first_moment.assign(begin.weights.size(), 0.0F);
  begin.second_moment = begin.first_moment;
  step.size = model.layout().size;
  for (const LayerOffsets& layer : model.layout().layers) step.layers.push_back(layer.attention_norm);
  NATSCOPE_CHECK(state.set(begin));
  NATSCOPE_CHECK(state.clear_gradient());

  StepContext context;
  context.seed = 9;
  context.step = 1;
  context.loss_scale = 1.0 / (segments * context_tokens);
  context.applied_sparsity = 1e-6;
  context.first_row = std::int64_t{ranks.rank()} * each * context_tokens;
  const GradientAllReduce sums(ranks, {}, &state);
  if (const auto sum = sums.of_last_pass()) {
    context.gradient_ready = [&step, sum](std::int64_t from, std::int64_t until) {
      step.told.emplace_back(from, until);
      return sum(from, until);
    };
  }
  const Text all = text();
  const auto first = static_cast<std::size_t>(context.first_row);
  const auto count = static_cast<std::size_t>(each) * context_tokens;
  NATSCOPE_CHECK(model.forward_backward(
      {std::span(all.tokens).subspan(first, count), std::span(all.targets).subspan(first, count)}, context, {}, {}));
  NATSCOPE_CHECK(sums.finish());
  NATSCOPE_TRY(const OptimizerReport report, state.step({1e-3, 0.9, 0.95, 0.1, 0.05}, 1));
  step.gradient_norm = report.gradient_norm;
  NATSCOPE_CHECK(state.bring_down(begin));
  step.weights = begin.weights;
  return {};
}

std::vector<Step> steps(int size) {
  std::vector<Step> all(static_cast<std::size_t>(size));
  test::on_ranks(size, [&all](RankGroup& ranks) {
    Step& step = all[static_cast<std::size_t>(ranks.rank())];
    if (auto taken = take(ranks, step); !taken) step.problem = taken.error().message;
  });
  return all;
}

}  // namespace

TEST_CASE("two ranks move the weights as one process does, both to the same bits") {
  const Step one = steps(1)[0];
  const auto two = steps(2);
  REQUIRE(one.problem.empty());
  for (const Step& step : two) REQUIRE(step.problem.empty());
  CHECK(two[0].weights == two[1].weights);
  CHECK(two[0].gradient_norm == doctest::Approx(one.gradient_norm).epsilon(1e-5));
  // A first step of AdamW moves a weight by the rate in the gradient's direction, whatever its size: where that is
  // rounding, the direction may turn.
  std::size_t turned = 0;
  for (std::size_t i = 0; i < one.weights.size(); ++i) {
    const double difference = std::abs(static_cast<double>(one.weights[i]) - static_cast<double>(two[0].weights[i]));
    if (difference > 1e-5) ++turned;
  }
  CHECK(turned < one.weights.size() / 1000);
}

TEST_CASE("every part is told once, the last layer first, and while the backward pass goes on") {
  const Step step = steps(2)[1];
  REQUIRE(step.problem.empty());
  std::vector<int> covered(static_cast<std::size_t>(step.size), 0);
  for (const auto& [begin, end] : step.told) {
    for (std::int64_t i = begin; i < end; ++i) ++covered[static_cast<std::size_t>(i)];
  }
  CHECK(std::all_of(covered.begin(), covered.end(), [](int times) { return times == 1; }));
  // Beside the layers: the embedding, and what stands last (the last norm, all score layers).
  REQUIRE(step.told.size() == step.layers.size() + 2);
  std::vector<std::int64_t> layers;
  for (const auto& [begin, end] : step.told) {
    if (std::find(step.layers.begin(), step.layers.end(), begin) != step.layers.end()) layers.push_back(begin);
  }
  CHECK(layers == std::vector<std::int64_t>(step.layers.rbegin(), step.layers.rend()));
  CHECK(step.told[0].first == step.layers.back());
}
