// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/parameters.h"

#include <cmath>
#include <numbers>

#include "core/model/tensor_table.h"
#include "core/train/random/counter_random.h"

namespace natscope::train {

namespace {

constexpr std::int64_t alignment = 32;

class LayoutBuilder {
 public:
  explicit LayoutBuilder(ParameterLayout& layout) : layout_(layout) {}

  /// Begins a block; the tensors added next stand in it without gaps.
  std::int64_t block() {
    layout_.size = (layout_.size + alignment - 1) / alignment * alignment;
    return layout_.size;
  }

  void add(std::string name, std::vector<std::int64_t> shape, ParameterKind kind) {
    std::int64_t elements = 1;
    for (const std::int64_t extent : shape) elements *= extent;
    layout_.parameters.push_back({std::move(name), std::move(shape), layout_.size, elements, kind});
    layout_.size += elements;
  }

 private:
  ParameterLayout& layout_;
};

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

ParameterLayout parameter_layout(const ModelConfig& c) {
  ParameterLayout layout;
  LayoutBuilder builder(layout);
  const std::int64_t hidden = c.hidden;
  layout.embedding = builder.block();
  builder.add("model.embed_tokens.weight", {c.vocab, hidden}, ParameterKind::matrix);
  layout.layers.resize(static_cast<std::size_t>(c.layers));
  for (int i = 0; i < c.layers; ++i) {
    LayerOffsets& at = layout.layers[static_cast<std::size_t>(i)];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    at.attention_norm = builder.block();
    builder.add(prefix + "input_layernorm.weight", {hidden}, ParameterKind::norm);
    at.qkv = builder.block();
    builder.add(prefix + "self_attn.q_proj.weight", {c.q_rows(), hidden}, ParameterKind::matrix);
    builder.add(prefix + "self_attn.k_proj.weight", {c.kv_rows(), hidden}, ParameterKind::matrix);
    builder.add(prefix + "self_attn.v_proj.weight", {c.kv_rows(), hidden}, ParameterKind::matrix);
    at.o = builder.block();
    builder.add(prefix + "self_attn.o_proj.weight", {hidden, c.q_rows()}, ParameterKind::matrix);
    at.mlp_norm = builder.block();
    builder.add(prefix + "post_attention_layernorm.weight", {hidden}, ParameterKind::norm);
    at.gate_up = builder.block();
    builder.add(prefix + "mlp.gate_proj.weight", {c.intermediate, hidden}, ParameterKind::matrix);
    builder.add(prefix + "mlp.up_proj.weight", {c.intermediate, hidden}, ParameterKind::matrix);
    at.down = builder.block();
    builder.add(prefix + "mlp.down_proj.weight", {hidden, c.intermediate}, ParameterKind::matrix);
  }
  layout.final_norm = builder.block();
  builder.add("model.norm.weight", {hidden}, ParameterKind::norm);
  for (int i = 0; c.nats && i < c.layers; ++i) {
    layout.layers[static_cast<std::size_t>(i)].scores = builder.block();
    builder.add(score_layer_name(i), {c.score_rows(), hidden}, ParameterKind::score);
  }
  builder.block();
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
      // Box–Muller; every weight has its own two numbers.
      const auto n = static_cast<std::uint64_t>(i) * 2;
      const double radius = std::sqrt(-2.0 * std::log(static_cast<double>(random.uniform(n))));
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(random.uniform(n + 1));
      out[i] = static_cast<float>(scale * radius * std::cos(angle));
    }
  }
  return values;
}

}  // namespace natscope::train
