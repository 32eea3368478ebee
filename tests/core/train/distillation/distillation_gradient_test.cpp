// SPDX-License-Identifier: GPL-3.0-or-later
// What distillation teaches score layers and LoRA factors, against a dense model in float64 that shares no code with
// it: the role gradient of sections 6 and 7 as sums over dense matrices, everything else by autograd. LibTorch has a
// CHECK of its own: doctest by its long names here.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <random>

#include "core/train/distillation/distillation_model.h"
#include "tests/core/train/device_passes.h"
#include "tests/core/train/passes/dense_model.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace natscope;
using namespace natscope::train;
using nlohmann::json;

namespace {

struct Case {
  int heads, kv_heads, window, tokens;
  double applied_sparsity;
  std::vector<std::string> lora;  ///< targets; empty: score layers alone
  bool answers_only;              ///< every third position counts
};

at::Tensor in_double(const TensorInfo& tensor) {
  at::Tensor copy = at::empty(tensor.shape, at::kFloat);
  std::copy(tensor.data.begin(), tensor.data.end(), static_cast<std::byte*>(copy.data_ptr()));
  return copy.to(at::kDouble);
}

/// A full-attention base on disk, opened.
ModelFolder base_in(const std::filesystem::path& folder, const Case& shape) {
  test::TinyModel model(
      {{"num_attention_heads", shape.heads}, {"num_key_value_heads", shape.kv_heads}, {"tie_word_embeddings", true}});
  model.remove_score_layers();
  model.write(folder);
  auto opened = ModelFolder::open(folder);
  DOCTEST_REQUIRE(opened.has_value());
  return *opened;
}

double difference(const at::Tensor& expected, const float* got) {
  const at::Tensor actual = at::from_blob(const_cast<float*>(got), expected.sizes(), at::kFloat).to(at::kDouble);
  return (actual - expected).norm().item<double>() / std::max(1e-12, expected.norm().item<double>());
}

void check(const Case& shape, PassesOn passes) {
  const test::TemporaryFolder folder;
  const ModelFolder base = base_in(folder.path(), shape);
  FinetuneOptions options;
  options.window = shape.window;
  options.trained = shape.lora.empty() ? Trained::scores : Trained::lora;
  options.lora_targets = shape.lora;
  options.lora_rank = 3;
  options.lora_alpha = 5;
  auto model = DistillationModel::create(base, options, passes);
  DOCTEST_REQUIRE(model.has_value());

  // Scores near each other, so that no role is sure and every probability matters.
  std::vector<float> trained(static_cast<std::size_t>(model->layout().size), 0.0F);
  std::mt19937 random(17);
  std::normal_distribution<float> normal(0.0F, 0.3F);
  for (const Parameter& p : model->layout().parameters) {
    for (std::int64_t i = 0; i < p.elements; ++i) trained[static_cast<std::size_t>(p.offset + i)] = normal(random);
  }
  model->set_weights(trained);
  Document document;
  for (int i = 0; i < shape.tokens; ++i) {
    document.tokens.push_back(static_cast<std::int32_t>(3 + random() % 290));
    if (shape.answers_only) document.counted.push_back(i % 3 == 1 ? 1 : 0);
  }
  const DistillContext context{9, 3, 0, 0.5, shape.applied_sparsity};
  std::vector<float> gradient(trained.size(), 0.0F);
  const auto pass = model->forward_backward(document, context, gradient, {});
  DOCTEST_REQUIRE(pass.has_value());

  std::map<std::string, at::Tensor> weights;
  for (const char* const name : {"model.embed_tokens.weight", "model.norm.weight"}) {
    weights[name] = in_double(*base.tensor(name));
  }
  for (int layer = 0; layer < 2; ++layer) {
    for (const char* const name :
         {"input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
          "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
      const std::string full = "model.layers." + std::to_string(layer) + "." + name + ".weight";
      weights[full] = in_double(*base.tensor(full));
    }
  }
  test::DenseBatch batch;
  batch.tokens = at::from_blob(document.tokens.data(), {1, shape.tokens}, at::kInt).to(at::kLong);
  ModelConfig config = base.config();
  const at::Tensor wanted = test::DenseModel(config, weights).hidden(batch);

  std::map<std::string, at::Tensor> factors;
  for (const Parameter& p : model->layout().parameters) {
    const at::Tensor value = at::from_blob(trained.data() + p.offset, p.shape, at::kFloat).to(at::kDouble);
    if (p.kind == ParameterKind::score) {
      weights[p.name] = value;
    } else {
      factors[p.name] = value.requires_grad_(true);
    }
  }
  for (int layer = 0; layer < 2; ++layer) {
    for (const std::string& target : shape.lora) {
      const std::string name = "model.layers." + std::to_string(layer) + ".self_attn." + target;
      weights[name + ".weight"] = weights[name + ".weight"] +
                                  at::matmul(factors.at(name + ".lora_b"), factors.at(name + ".lora_a")) * (5.0 / 3);
    }
  }
  config.nats = NatsConfig{};
  config.nats->window = shape.window;
  batch.loss_scale = context.scale;
  batch.applied_sparsity = context.applied_sparsity;
  batch.seed = context.seed;
  batch.step = context.step;
  // The dense model finds where its attention's gradient goes by autograd: something has to ask for one.
  weights["model.embed_tokens.weight"].requires_grad_(true);
  at::Tensor counted = at::ones({1, shape.tokens, 1}, at::kDouble);
  for (int i = 0; shape.answers_only && i < shape.tokens; ++i) counted[0][i][0] = i % 3 == 1 ? 1.0 : 0.0;
  test::DenseModel dense(config, weights);
  const double distance = dense.distil(batch, wanted, counted);

  DOCTEST_CHECK(distance > 1e-3);
  DOCTEST_CHECK(pass->distance == doctest::Approx(distance).epsilon(1e-4));
  for (const Parameter& p : model->layout().parameters) {
    DOCTEST_CAPTURE(p.name);
    const bool is_score = p.kind == ParameterKind::score;
    const at::Tensor expected = is_score ? dense.gradients().at(p.name) : factors.at(p.name).grad();
    DOCTEST_CHECK(expected.norm().item<double>() > 0);
    DOCTEST_CHECK(difference(expected, gradient.data() + p.offset) < 5e-4);
  }
}

}  // namespace

DOCTEST_TEST_CASE("the distillation's gradient in score layers and LoRA factors is the dense model's in float64") {
  const Case cases[] = {
      {4, 2, 3, 29, 0.0, {}, false},   // score layers, grouped queries
      {4, 4, 0, 33, 1e-2, {}, false},  // a KV head each, no window, with the regulariser
      {4, 1, 40, 31, 1e-3, {}, true},  // one KV head, a window over everything, the loss on answers only
      {4, 2, 5, 37, 1e-3, {"q_proj", "k_proj"}, false},
      {4, 2, 2, 24, 0.0, {"q_proj", "k_proj", "v_proj", "o_proj"}, true},
  };
  for (const Case& shape : cases) {
    for (const PassesOn passes : {PassesOn::cpu, test::device_passes}) {
      DOCTEST_CAPTURE(shape.tokens);
      DOCTEST_CAPTURE(static_cast<int>(passes));
      check(shape, passes);
    }
  }
}
