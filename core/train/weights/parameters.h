// SPDX-License-Identifier: GPL-3.0-or-later
/// The weights of a model in training: one flat array, so that gradient, moments and copies line up with it.
///
/// Blocks that one product reads stand together (q, k, v; gate, up), each as its rows of [out, in]. Blocks begin on
/// multiples of 32 numbers (begin_block()); the gaps are zero and stay zero.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/train/options/train_options.h"

namespace natscope::train {

/// What the optimizer treats differently.
enum class ParameterKind { matrix, norm, score };

/// One stored tensor of the Hugging Face layout.
struct Parameter {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t offset = 0;
  std::int64_t elements = 0;
  ParameterKind kind = ParameterKind::matrix;
};

/// Where the blocks of one layer begin.
struct LayerOffsets {
  std::int64_t attention_norm = 0;  ///< [E]
  std::int64_t qkv = 0;             ///< [(H + 2K)·D, E]
  std::int64_t o = 0;               ///< [E, H·D]
  std::int64_t scores = 0;          ///< [3K, E]; absent with full attention
  std::int64_t mlp_norm = 0;        ///< [E]
  std::int64_t gate_up = 0;         ///< [2I, E]
  std::int64_t down = 0;            ///< [E, I]
};

struct ParameterLayout {
  std::vector<Parameter> parameters;  ///< in the order of their offsets
  std::vector<LayerOffsets> layers;
  std::int64_t embedding = 0;   ///< [V, E]
  std::int64_t final_norm = 0;  ///< [E]
  std::int64_t size = 0;        ///< numbers, gaps included

  /// Numbers of all tensors, without the gaps.
  [[nodiscard]] std::int64_t parameter_count() const;
  /// Where the weights of layer i begin, its score layer left out; of the layer after the last one: where they end.
  [[nodiscard]] std::int64_t layer_begin(int i) const;

  /// Where the tensors that are added next stand, without gaps between them. Also called behind the last one.
  std::int64_t begin_block();
  void add(std::string name, std::vector<std::int64_t> shape, ParameterKind kind);
};

/// The layout of a tied Llama; score layers where config.nats is set. They stand last, so that a full-attention twin
/// has all its weights at the same places.
[[nodiscard]] ParameterLayout parameter_layout(const ModelConfig& config);

/// Normal(0, 1 / sqrt(in)), in: the row's length, so that products of normed rows begin at a variance of 1; the
/// projections that write into the residual stream (o, down) by 1 / sqrt(2 · layers) smaller, as in GPT-2; score layers
/// Normal(0, score_init); norms 1. (0.02 everywhere, usual at widths of 2500, is too little for the small models of one
/// machine: their attention stays flat for long, see tests/bench/results/README.md.) A weight's value depends on the
/// seed, its tensor's name and its place alone: a twin without score layers begins with the same weights.
[[nodiscard]] std::vector<float> initial_parameters(const ModelConfig& config, const ParameterLayout& layout,
                                                    std::uint64_t seed, double score_init = default_score_init);

}  // namespace natscope::train
