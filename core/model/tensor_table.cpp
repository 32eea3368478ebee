// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/tensor_table.h"

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

bool is_harmless_extra(std::string_view name) { return name.ends_with(".rotary_emb.inv_freq"); }

}  // namespace natscope
