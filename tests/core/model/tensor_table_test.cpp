// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/tensor_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

bool holds(const std::vector<ExpectedTensor>& tensors, const std::string& name,
           const std::vector<std::int64_t>& shape) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const ExpectedTensor& t) { return t.name == name && t.shape == shape; });
}

TEST_CASE("the tensors of a small Llama with score layers") {
  const test::TinyModel model;
  const auto config = parse_model_config(model.config).value();
  const auto tensors = expected_tensors(config);
  std::set<std::string> names;
  for (const ExpectedTensor& tensor : tensors) CHECK(names.insert(tensor.name).second);
  CHECK(tensors.size() == 2 * 10 + 3);
  CHECK(holds(tensors, "model.layers.1.self_attn.q_proj.weight", {32, 32}));
  CHECK(holds(tensors, "model.layers.1.self_attn.k_proj.weight", {16, 32}));
  CHECK(holds(tensors, "model.layers.1.self_attn.proj_layer.weight", {6, 32}));
  CHECK(holds(tensors, "model.layers.0.mlp.down_proj.weight", {32, 48}));
  CHECK(holds(tensors, "lm_head.weight", {300, 32}));
}

TEST_CASE("biases, norms and heads come and go with the config") {
  ModelConfig config = parse_model_config(test::TinyModel().config).value();
  config.nats.reset();
  config.tied = true;
  config.qkv_bias = true;
  config.o_bias = true;
  config.mlp_bias = true;
  config.qk_norm = true;
  const auto tensors = expected_tensors(config);
  CHECK(tensors.size() == 2 * (9 + 4 + 3 + 2) + 2);
  CHECK(holds(tensors, "model.layers.0.self_attn.v_proj.bias", {16}));
  CHECK(holds(tensors, "model.layers.0.self_attn.o_proj.bias", {32}));
  CHECK(holds(tensors, "model.layers.0.self_attn.q_norm.weight", {8}));
  CHECK(holds(tensors, "model.layers.0.mlp.gate_proj.bias", {48}));
  CHECK_FALSE(holds(tensors, "lm_head.weight", {300, 32}));
}

}  // namespace
}  // namespace natscope
