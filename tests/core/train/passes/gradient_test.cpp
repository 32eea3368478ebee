// SPDX-License-Identifier: GPL-3.0-or-later
// LibTorch has a CHECK of its own: doctest by its long names here.
#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <stop_token>
#include <string>
#include <vector>

#include "core/train/options/train_options.h"
#include "core/train/passes/training_model.h"
#include "core/train/random/counter_random.h"
#include "kernels/element_type.h"
#include "tests/core/train/device_passes.h"
#include "tests/core/train/passes/dense_model.h"

using namespace natscope;
using namespace natscope::train;

namespace {

struct Case {
  int layers, hidden, heads, kv_heads, head_dim, intermediate, context, window;
  double applied_sparsity;
  bool full_attention;
  const char* policy = "model";
  std::function<bool(std::int64_t m, std::int64_t n)> visible = {};  ///< the same mask, written down here
};

/// Relative difference of two gradients, as norms.
double difference(const at::Tensor& expected, const float* got) {
  const at::Tensor actual = at::from_blob(const_cast<float*>(got), expected.sizes(), at::kFloat).to(at::kDouble);
  return (actual - expected).norm().item<double>() / std::max(1e-12, expected.norm().item<double>());
}

void check(const Case& shape, kernels::ElementType dtype, kernels::Backend backend, double tolerance,
           PassesOn passes = PassesOn::cpu) {
  TrainOptions options;
  options.data = "text";
  options.layers = shape.layers;
  options.hidden = shape.hidden;
  options.heads = shape.heads;
  options.kv_heads = shape.kv_heads;
  options.head_dim = shape.head_dim;
  options.intermediate = shape.intermediate;
  options.context = shape.context;
  options.window = shape.window;
  options.vocab = 300;
  options.full_attention = shape.full_attention;
  options.policy = *parse_policy(shape.policy);
  const ModelConfig config = model_config(*resolve(options));

  constexpr int segments = 2;
  auto model = TrainingModel::create(config, dtype, segments, 2, backend, options.policy, passes);
  DOCTEST_REQUIRE(model);
  std::vector<float> weights = initial_parameters(config, model->layout(), 11);
  // Larger scores than a run begins with, so that roles are far from uniform; attention is at these widths.
  for (const Parameter& p : model->layout().parameters) {
    for (std::int64_t i = p.offset; i < p.offset + p.elements; ++i) {
      float& weight = weights[static_cast<std::size_t>(i)];
      if (p.kind == ParameterKind::score) weight *= 20.0F;
      if (dtype == kernels::ElementType::bf16) weight = kernels::to_float(kernels::to_bf16(weight));
    }
  }
  const auto rows = static_cast<std::size_t>(segments) * static_cast<std::size_t>(shape.context);
  std::vector<std::int32_t> tokens(rows), targets(rows);
  const CounterRandom random(5, 77);
  std::int64_t predicted = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    tokens[i] = static_cast<std::int32_t>(random.below(2 * i, 300));
    targets[i] = i % 11 == 3 ? -1 : static_cast<std::int32_t>(random.below(2 * i + 1, 300));
    predicted += targets[i] >= 0 ? 1 : 0;
  }
  StepContext context;
  context.seed = 21;
  context.step = 4;
  context.loss_scale = 1.0 / static_cast<double>(predicted);
  context.applied_sparsity = shape.applied_sparsity;
  model->set_weights(weights);
  std::vector<float> gradient(weights.size(), 0.0F);
  const auto pass = model->forward_backward({tokens, targets}, context, gradient, {});
  DOCTEST_REQUIRE(pass);
  DOCTEST_CHECK(pass->tokens == predicted);

  test::DenseBatch batch;
  batch.tokens = at::from_blob(tokens.data(), {segments, shape.context}, at::kInt).to(at::kLong);
  batch.targets = at::from_blob(targets.data(), {segments, shape.context}, at::kInt).to(at::kLong);
  batch.loss_scale = context.loss_scale;
  batch.applied_sparsity = context.applied_sparsity;
  batch.seed = context.seed;
  batch.step = context.step;
  batch.fixed_mask = shape.visible;
  test::DenseModel dense(config, model->layout(), weights);
  const double nll = dense.forward_backward(batch);
  DOCTEST_CHECK(pass->nll == doctest::Approx(nll).epsilon(tolerance));
  for (const Parameter& p : model->layout().parameters) {
    DOCTEST_CAPTURE(p.name);
    DOCTEST_CHECK(difference(dense.gradients().at(p.name), gradient.data() + p.offset) < tolerance);
  }
}

const Case cases[] = {
    {2, 32, 4, 2, 8, 48, 24, 3, 0.0, false},     // grouped queries
    {1, 24, 3, 3, 8, 40, 37, 0, 1e-3, false},    // a KV head each, no window, with the regulariser
    {3, 16, 4, 1, 16, 32, 33, 40, 1e-2, false},  // one KV head, a window over everything
    {2, 32, 4, 2, 8, 48, 24, 3, 0.0, true},      // full attention
};

/// Section 11 of the rules.
const Case masks[] = {
    {2, 32, 4, 2, 8, 48, 33, 3, 0.0, false, "window:5", [](auto m, auto n) { return m - n <= 5; }},
    {2, 32, 4, 4, 8, 48, 24, 3, 0.0, false, "window:1", [](auto m, auto n) { return m - n <= 1; }},
    {2, 32, 4, 1, 8, 48, 31, 3, 0.0, false, "streaming:2,4", [](auto m, auto n) { return n < 2 || m - n <= 4; }},
    {2, 32, 4, 2, 8, 48, 33, 3, 0.0, false, "longformer:3,1,17",
     [](auto m, auto n) { return n == 1 || n == 17 || m - n <= 3; }},
};

}  // namespace

DOCTEST_TEST_CASE("the gradient of every weight is autograd's, f32") {
  for (const Case& shape : cases) {
    for (const kernels::Backend backend : {kernels::Backend::ref, kernels::Backend::cpu}) {
      DOCTEST_CAPTURE(shape.context);
      check(shape, kernels::ElementType::f32, backend, 2e-4);
    }
  }
}

DOCTEST_TEST_CASE("and under a fixed mask, without score layers") {
  for (const Case& shape : masks) {
    for (const kernels::Backend backend : {kernels::Backend::ref, kernels::Backend::cpu}) {
      DOCTEST_CAPTURE(std::string(shape.policy));
      check(shape, kernels::ElementType::f32, backend, 2e-4);
    }
  }
}

DOCTEST_TEST_CASE("the passes that a GPU runs give the same") {
  for (const Case& shape : cases) {
    DOCTEST_CAPTURE(shape.context);
    check(shape, kernels::ElementType::f32, kernels::Backend::ref, 2e-4, test::device_passes);
  }
  for (const Case& shape : masks) {
    DOCTEST_CAPTURE(std::string(shape.policy));
    check(shape, kernels::ElementType::f32, kernels::Backend::ref, 2e-4, test::device_passes);
  }
  check(cases[3], kernels::ElementType::bf16, kernels::Backend::cpu, 6e-2, test::device_passes);
}

DOCTEST_TEST_CASE("both kinds of passes charge, count and evaluate alike") {
  TrainOptions options;
  options.data = "text";
  options.layers = 2;
  options.hidden = 32;
  options.heads = 4;
  options.kv_heads = 2;
  options.context = 40;
  options.window = 3;
  options.vocab = 300;
  const ModelConfig config = model_config(*resolve(options));
  std::vector<std::vector<float>> gradients;
  std::vector<PassResult> trained, evaluated;
  for (const PassesOn passes : {PassesOn::cpu, test::device_passes}) {
    auto model = TrainingModel::create(config, kernels::ElementType::f32, 2, 2, kernels::Backend::cpu, {}, passes);
    DOCTEST_REQUIRE(model);
    std::vector<float> weights = initial_parameters(config, model->layout(), 3);
    for (const Parameter& p : model->layout().parameters) {
      if (p.kind != ParameterKind::score) continue;
      for (std::int64_t i = p.offset; i < p.offset + p.elements; ++i) weights[static_cast<std::size_t>(i)] *= 50.0F;
    }
    model->set_weights(weights);
    std::vector<std::int32_t> tokens(80), targets(80);
    const CounterRandom random(6, 78);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = static_cast<std::int32_t>(random.below(2 * i, 300));
      targets[i] = static_cast<std::int32_t>(random.below(2 * i + 1, 300));
    }
    StepContext context;
    context.loss_scale = 1.0 / 80;
    context.applied_sparsity = 0.5;  // so that what locals are charged is seen
    context.local_charge = LocalCharge::argmax;
    context.first_row = 160;
    std::vector<std::int64_t> told;
    context.gradient_ready = [&](std::int64_t begin, std::int64_t end) -> Expected<void> {
      told.push_back(end - begin);
      return {};
    };
    std::vector<float>& gradient = gradients.emplace_back(weights.size(), 1.0F);  // what is there stays
    auto pass = model->forward_backward({tokens, targets}, context, gradient, {});
    DOCTEST_REQUIRE(pass);
    trained.push_back(*pass);
    DOCTEST_CHECK(std::accumulate(told.begin(), told.end(), std::int64_t{0}) == model->layout().size);
    auto evaluation = model->evaluate({tokens, targets}, 1, {});
    DOCTEST_REQUIRE(evaluation);
    evaluated.push_back(*evaluation);
    std::stop_source stopped;
    stopped.request_stop();
    DOCTEST_CHECK(model->forward_backward({tokens, targets}, context, gradient, stopped.get_token()).error().code ==
                  ErrorCode::interrupted);
  }
  double distance = 0, size = 0;
  for (std::size_t i = 0; i < gradients[0].size(); ++i) {
    distance += std::pow(gradients[0][i] - gradients[1][i], 2);
    size += std::pow(gradients[0][i] - 1.0F, 2);
  }
  DOCTEST_CHECK(std::sqrt(distance / size) < 1e-4);
  for (const auto* results : {&trained, &evaluated}) {
    const PassResult &one = (*results)[0], &other = (*results)[1];
    DOCTEST_CHECK(one.nll == doctest::Approx(other.nll).epsilon(1e-5));
    DOCTEST_CHECK(one.tokens == other.tokens);
    DOCTEST_CHECK(one.sampled.total().tokens == other.sampled.total().tokens);
    DOCTEST_CHECK(one.argmax.total().tokens == other.argmax.total().tokens);
    DOCTEST_CHECK(one.argmax.total().held == other.argmax.total().held);
  }
  DOCTEST_CHECK(trained[0].argmax.total().tokens != trained[0].sampled.total().tokens);
}

DOCTEST_TEST_CASE("bf16 rounds, but computes the same thing") {
  // With full attention no rounding can flip a role; eight bits of a product's operands leave a few per cent.
  check(cases[3], kernels::ElementType::bf16, kernels::Backend::cpu, 6e-2);
}
