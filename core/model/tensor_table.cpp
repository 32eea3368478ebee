// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/tensor_table.h"

#include <array>

namespace natscope {

std::string score_layer_name(int layer) {
  return "model.layers." + std::to_string(layer) + ".self_attn.proj_layer.weight";
}

std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config) {
  std::vector<ExpectedTensor> tensors;
  const std::int64_t hidden = config.hidden;
  const std::int64_t inner = config.intermediate;
  const std::int64_t q_rows = config.q_rows();
  const std::int64_t kv_rows = config.kv_rows();

  tensors.push_back({"model.embed_tokens.weight", {config.vocab, hidden}});
  for (int layer = 0; layer < config.layers; ++layer) {
    const std::string block = "model.layers." + std::to_string(layer) + ".";
    const auto add = [&](const char* name, std::vector<std::int64_t> shape) {
      tensors.push_back({block + name, std::move(shape)});
    };
    add("input_layernorm.weight", {hidden});
    add("self_attn.q_proj.weight", {q_rows, hidden});
    add("self_attn.k_proj.weight", {kv_rows, hidden});
    add("self_attn.v_proj.weight", {kv_rows, hidden});
    if (config.qkv_bias) {
      add("self_attn.q_proj.bias", {q_rows});
      add("self_attn.k_proj.bias", {kv_rows});
      add("self_attn.v_proj.bias", {kv_rows});
    }
    if (config.qk_norm) {
      add("self_attn.q_norm.weight", {config.head_dim});
      add("self_attn.k_norm.weight", {config.head_dim});
    }
    if (config.nats) tensors.push_back({score_layer_name(layer), {config.score_rows(), hidden}});
    add("self_attn.o_proj.weight", {hidden, q_rows});
    if (config.o_bias) add("self_attn.o_proj.bias", {hidden});
    add("post_attention_layernorm.weight", {hidden});
    add("mlp.gate_proj.weight", {inner, hidden});
    add("mlp.up_proj.weight", {inner, hidden});
    add("mlp.down_proj.weight", {hidden, inner});
    if (config.mlp_bias) {
      add("mlp.gate_proj.bias", {inner});
      add("mlp.up_proj.bias", {inner});
      add("mlp.down_proj.bias", {hidden});
    }
  }
  tensors.push_back({"model.norm.weight", {hidden}});
  if (!config.tied) tensors.push_back({"lm_head.weight", {config.vocab, hidden}});
  return tensors;
}

StoredRows stored_rows(const ModelConfig& config, const ExpectedTensor& tensor) {
  struct Part {
    std::string_view name;
    std::string_view stored;
    std::int64_t first_row;
    std::int64_t stored_rows;
  };
  const std::int64_t q = config.q_rows();
  const std::int64_t kv = config.kv_rows();
  const std::int64_t inner = config.intermediate;
  const auto parts = std::to_array<Part>({
      {"self_attn.q_proj.weight", "self_attn.qkv_proj.weight", 0, q + 2 * kv},
      {"self_attn.k_proj.weight", "self_attn.qkv_proj.weight", q, q + 2 * kv},
      {"self_attn.v_proj.weight", "self_attn.qkv_proj.weight", q + kv, q + 2 * kv},
      {"mlp.gate_proj.weight", "mlp.gate_up_proj.weight", 0, 2 * inner},
      {"mlp.up_proj.weight", "mlp.gate_up_proj.weight", inner, 2 * inner},
  });
  for (const Part& part : parts) {
    if (!config.stores_fused() || !tensor.name.ends_with(part.name)) continue;
    const std::string block = tensor.name.substr(0, tensor.name.size() - part.name.size());
    return {{block + std::string(part.stored), {part.stored_rows, tensor.shape.back()}}, part.first_row};
  }
  return {tensor, 0};
}

bool is_harmless_extra(std::string_view name) { return name.ends_with(".rotary_emb.inv_freq"); }

}  // namespace natscope
