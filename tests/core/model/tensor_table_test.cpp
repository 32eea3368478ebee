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

TEST_CASE("where a family that stores several matrices as one holds each") {
  ModelConfig config = parse_model_config(test::TinyModel().config).value();
  const auto rows = [&](const char* name, std::int64_t count) {
    return stored_rows(config, {std::string("model.layers.1.") + name, {count, 32}});
  };
  CHECK(rows("self_attn.k_proj.weight", 16).stored.name == "model.layers.1.self_attn.k_proj.weight");
  CHECK(rows("self_attn.k_proj.weight", 16).first_row == 0);

  config.family = ModelFamily::phi3;
  const std::vector<std::int64_t> of_qkv{64, 32}, of_gate_up{96, 32};
  struct Case {
    const char* name;
    std::int64_t rows;
    const char* stored;
    std::vector<std::int64_t> shape;
    std::int64_t first_row;
  };
  for (const Case& c : {Case{"self_attn.q_proj.weight", 32, "self_attn.qkv_proj.weight", of_qkv, 0},
                        Case{"self_attn.k_proj.weight", 16, "self_attn.qkv_proj.weight", of_qkv, 32},
                        Case{"self_attn.v_proj.weight", 16, "self_attn.qkv_proj.weight", of_qkv, 48},
                        Case{"mlp.gate_proj.weight", 48, "mlp.gate_up_proj.weight", of_gate_up, 0},
                        Case{"mlp.up_proj.weight", 48, "mlp.gate_up_proj.weight", of_gate_up, 48},
                        Case{"self_attn.o_proj.weight", 32, "self_attn.o_proj.weight", {32, 32}, 0}}) {
    CAPTURE(c.name);
    const StoredRows found = rows(c.name, c.rows);
    CHECK(found.stored.name == "model.layers.1." + std::string(c.stored));
    CHECK(found.stored.shape == c.shape);
    CHECK(found.first_row == c.first_row);
  }
  CHECK(stored_rows(config, {"model.norm.weight", {32}}).stored.shape == std::vector<std::int64_t>{32});
}

}  // namespace
}  // namespace natscope
