// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/base_tensors.h"

#include <ATen/ops/from_blob.h>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "core/device/torch_types.h"
#include "core/model/stored_type.h"

namespace natscope::train {

namespace {

constexpr std::string_view layers_prefix = "model.layers.";

/// The tensors of one layer by what stands behind `model.layers.N.`.
constexpr std::array<std::pair<std::string_view, at::Tensor LayerTensors::*>, 27> named_members{{
    {"input_layernorm.weight", &LayerTensors::input_norm},
    {"self_attn.q_proj.weight", &LayerTensors::q},
    {"self_attn.k_proj.weight", &LayerTensors::k},
    {"self_attn.v_proj.weight", &LayerTensors::v},
    {"self_attn.o_proj.weight", &LayerTensors::o},
    {"self_attn.q_proj.bias", &LayerTensors::q_bias},
    {"self_attn.k_proj.bias", &LayerTensors::k_bias},
    {"self_attn.v_proj.bias", &LayerTensors::v_bias},
    {"self_attn.o_proj.bias", &LayerTensors::o_bias},
    {"self_attn.q_norm.weight", &LayerTensors::q_norm},
    {"self_attn.k_norm.weight", &LayerTensors::k_norm},
    {"post_attention_layernorm.weight", &LayerTensors::post_attention_norm},
    {"mlp.gate_proj.weight", &LayerTensors::gate},
    {"mlp.up_proj.weight", &LayerTensors::up},
    {"mlp.down_proj.weight", &LayerTensors::down},
    {"mlp.gate_proj.bias", &LayerTensors::gate_bias},
    {"mlp.up_proj.bias", &LayerTensors::up_bias},
    {"mlp.down_proj.bias", &LayerTensors::down_bias},
    {"self_attn.proj_layer.weight", &LayerTensors::score},
    {"self_attn.q_proj.lora_a", &LayerTensors::q_lora_a},
    {"self_attn.q_proj.lora_b", &LayerTensors::q_lora_b},
    {"self_attn.k_proj.lora_a", &LayerTensors::k_lora_a},
    {"self_attn.k_proj.lora_b", &LayerTensors::k_lora_b},
    {"self_attn.v_proj.lora_a", &LayerTensors::v_lora_a},
    {"self_attn.v_proj.lora_b", &LayerTensors::v_lora_b},
    {"self_attn.o_proj.lora_a", &LayerTensors::o_lora_a},
    {"self_attn.o_proj.lora_b", &LayerTensors::o_lora_b},
}};

at::Tensor matrix(const WeightView& view) {
  if (!view.present()) return {};
  auto* const data = const_cast<std::byte*>(view.data);
  return at::from_blob(data, {view.rows, view.cols}, at::TensorOptions().dtype(torch_type(stored_type(view.dtype))));
}
at::Tensor vector(const WeightView& view) { return view.present() ? matrix(view).view({-1}) : at::Tensor(); }

LayerTensors stored_layer(const LayerWeights& from) {
  LayerTensors layer;
  layer.input_norm = vector(from.input_norm);
  layer.q = matrix(from.q);
  layer.k = matrix(from.k);
  layer.v = matrix(from.v);
  layer.o = matrix(from.o);
  layer.q_bias = vector(from.q_bias);
  layer.k_bias = vector(from.k_bias);
  layer.v_bias = vector(from.v_bias);
  layer.o_bias = vector(from.o_bias);
  layer.q_norm = vector(from.q_norm);
  layer.k_norm = vector(from.k_norm);
  layer.post_attention_norm = vector(from.post_attention_norm);
  layer.gate = matrix(from.gate);
  layer.up = matrix(from.up);
  layer.down = matrix(from.down);
  layer.gate_bias = vector(from.gate_bias);
  layer.up_bias = vector(from.up_bias);
  layer.down_bias = vector(from.down_bias);
  layer.score = matrix(from.score);
  return layer;
}

}  // namespace

std::optional<int> layer_of(const std::string& name) {
  if (!name.starts_with(layers_prefix)) return std::nullopt;
  int layer = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + layers_prefix.size(), end, layer);
  if (read.ec != std::errc() || read.ptr == end || *read.ptr != '.') return std::nullopt;
  return layer;
}

at::Tensor* ModelTensors::find(const std::string& name) {
  if (name == "model.embed_tokens.weight") return &embed;
  if (name == "model.norm.weight") return &norm;
  if (name == "lm_head.weight") return &lm_head;
  const auto layer = layer_of(name);
  if (!layer || *layer < 0 || static_cast<std::size_t>(*layer) >= layers.size()) return nullptr;
  const std::string_view part = std::string_view(name).substr(name.find('.', layers_prefix.size()) + 1);
  for (const auto& [member_name, member] : named_members) {
    if (member_name == part) return &(layers[static_cast<std::size_t>(*layer)].*member);
  }
  return nullptr;
}

const at::Tensor* ModelTensors::find(const std::string& name) const {
  return const_cast<ModelTensors*>(this)->find(name);
}

ModelTensors stored_tensors(const ModelWeights& weights) {
  ModelTensors all;
  all.embed = matrix(weights.embed);
  all.norm = vector(weights.norm);
  all.lm_head = matrix(weights.lm_head);
  for (const LayerWeights& layer : weights.layers) all.layers.push_back(stored_layer(layer));
  return all;
}

ModelTensors on_device(const ModelTensors& tensors, at::Device device) {
  ModelTensors moved;
  moved.embed = tensors.embed.to(device);
  moved.norm = tensors.norm.to(device);
  const bool tied = tensors.lm_head.data_ptr() == tensors.embed.data_ptr();
  moved.lm_head = tied ? moved.embed : tensors.lm_head.to(device);
  for (const LayerTensors& layer : tensors.layers) {
    LayerTensors& there = moved.layers.emplace_back();
    for (const auto& [name, member] : named_members) {
      if ((layer.*member).defined()) there.*member = (layer.*member).to(device);
    }
  }
  return moved;
}

}  // namespace natscope::train
