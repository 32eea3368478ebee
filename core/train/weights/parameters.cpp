// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/parameters.h"

#include <cmath>
#include <utility>

#include "core/model/tensor_table.h"
#include "core/train/random/counter_random.h"

namespace natscope::train {

namespace {

constexpr std::int64_t alignment = 32;

/// FNV-1a, to give every tensor a stream of its own.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

bool writes_into_residual(const std::string& name) {
  return name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
}

}  // namespace

std::int64_t ParameterLayout::parameter_count() const {
  std::int64_t count = 0;
  for (const Parameter& p : parameters) count += p.elements;
  return count;
}

std::int64_t ParameterLayout::layer_begin(int i) const {
  const auto layer = static_cast<std::size_t>(i);
  return layer < layers.size() ? layers[layer].attention_norm : final_norm;
}

std::int64_t ParameterLayout::begin_block() {
  size = (size + alignment - 1) / alignment * alignment;
  return size;
}

void ParameterLayout::add(std::string name, std::vector<std::int64_t> shape, ParameterKind kind) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) elements *= extent;
  parameters.push_back({std::move(name), std::move(shape), size, elements, kind});
  size += elements;
}

ParameterLayout parameter_layout(const ModelConfig& c) {
  ParameterLayout layout;
  const std::int64_t hidden = c.hidden;
  layout.embedding = layout.begin_block();
  layout.add("model.embed_tokens.weight", {c.vocab, hidden}, ParameterKind::matrix);
  layout.layers.resize(static_cast<std::size_t>(c.layers));
  for (int i = 0; i < c.layers; ++i) {
    LayerOffsets& at = layout.layers[static_cast<std::size_t>(i)];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    at.attention_norm = layout.begin_block();
    layout.add(prefix + "input_layernorm.weight", {hidden}, ParameterKind::norm);
    at.qkv = layout.begin_block();
    layout.add(prefix + "self_attn.q_proj.weight", {c.q_rows(), hidden}, ParameterKind::matrix);
    layout.add(prefix + "self_attn.k_proj.weight", {c.kv_rows(), hidden}, ParameterKind::matrix);
    layout.add(prefix + "self_attn.v_proj.weight", {c.kv_rows(), hidden}, ParameterKind::matrix);
    at.o = layout.begin_block();
    layout.add(prefix + "self_attn.o_proj.weight", {hidden, c.q_rows()}, ParameterKind::matrix);
    at.mlp_norm = layout.begin_block();
    layout.add(prefix + "post_attention_layernorm.weight", {hidden}, ParameterKind::norm);
    at.gate_up = layout.begin_block();
    layout.add(prefix + "mlp.gate_proj.weight", {c.intermediate, hidden}, ParameterKind::matrix);
    layout.add(prefix + "mlp.up_proj.weight", {c.intermediate, hidden}, ParameterKind::matrix);
    at.down = layout.begin_block();
    layout.add(prefix + "mlp.down_proj.weight", {hidden, c.intermediate}, ParameterKind::matrix);
  }
  layout.final_norm = layout.begin_block();
  layout.add("model.norm.weight", {hidden}, ParameterKind::norm);
  for (int i = 0; c.nats && i < c.layers; ++i) {
    layout.layers[static_cast<std::size_t>(i)].scores = layout.begin_block();
    layout.add(score_layer_name(i), {c.score_rows(), hidden}, ParameterKind::score);
  }
  layout.begin_block();
  return layout;
}

std::vector<float> initial_parameters(const ModelConfig& config, const ParameterLayout& layout, std::uint64_t seed,
                                      double score_init) {
  std::vector<float> values(static_cast<std::size_t>(layout.size), 0.0F);
  const double residual_scale = 1.0 / std::sqrt(2.0 * config.layers);
  for (const Parameter& p : layout.parameters) {
    float* out = values.data() + p.offset;
    if (p.kind == ParameterKind::norm) {
      for (std::int64_t i = 0; i < p.elements; ++i) out[i] = 1.0F;
      continue;
    }
    const CounterRandom random(seed, random_purpose::initial_weights, hash_of(p.name));
    const double scale = p.kind == ParameterKind::score ? score_init
                                                        : (writes_into_residual(p.name) ? residual_scale : 1.0) /
                                                              std::sqrt(static_cast<double>(p.shape.back()));
    for (std::int64_t i = 0; i < p.elements; ++i) {
      out[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i), scale));
    }
  }
  return values;
}

}  // namespace natscope::train
