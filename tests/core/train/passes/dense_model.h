// SPDX-License-Identifier: GPL-3.0-or-later
/// A NAtS Llama in plain LibTorch operations, float64, dense masks, gradients by autograd: the independent check of
/// core/train's passes. Shares with them only the names and places of parameters, and the numbered random streams.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/train/weights/parameters.h"

namespace natscope::test {

struct DenseBatch {
  at::Tensor tokens;   ///< [B, T] i64
  at::Tensor targets;  ///< [B, T] i64, -1: not predicted
  double loss_scale = 1.0;
  double applied_sparsity = 0.0;
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  /// A model without score layers under a fixed mask: whether query m sees key n <= m. Empty: full attention.
  std::function<bool(std::int64_t m, std::int64_t n)> fixed_mask;
};

class DenseModel {
 public:
  DenseModel(const ModelConfig& config, const train::ParameterLayout& layout, const std::vector<float>& weights);

  /// float64 weights by name. What requires a gradient, or is made of what does, gets it; score layers do not.
  DenseModel(const ModelConfig& config, std::map<std::string, at::Tensor> weights);

  /// Sum of nll; fills gradients().
  double forward_backward(const DenseBatch& batch);

  /// What the last norm gives, [B, T, E].
  at::Tensor hidden(const DenseBatch& batch);

  /// Mean over positions with `counted` 1 and over hidden dimensions of the squared distance from `wanted` [B, T, E];
  /// fills gradients() with those of batch.loss_scale times it. counted [B, T, 1]. Section 9 of the rules.
  double distil(const DenseBatch& batch, const at::Tensor& wanted, const at::Tensor& counted);

  /// By parameter name, float64.
  [[nodiscard]] const std::map<std::string, at::Tensor>& gradients() const { return gradients_; }

 private:
  struct Layer {
    at::Tensor normal;         // [B, T, E], detached
    at::Tensor q, k, v;        // rotated, [B, H, T, D], [B, K, T, D]
    at::Tensor out;            // [B, H, T, D], keeps its gradient
    at::Tensor probabilities;  // [B, T, K, 3]
    at::Tensor roles;          // [B, K, T] i64
    at::Tensor visible;        // [B, K, T, T] bool
  };

  at::Tensor normalise(const at::Tensor& x, const std::string& name) const;
  at::Tensor rotate(const at::Tensor& x) const;
  at::Tensor linear(const at::Tensor& x, const std::string& name) const;
  void choose_roles(const DenseBatch& batch, int index, Layer& layer) const;
  at::Tensor attention(const DenseBatch& batch, int index, const at::Tensor& x);
  void collect_gradients(const DenseBatch& batch);
  at::Tensor role_gradient(const Layer& layer, double applied_sparsity) const;

  ModelConfig c_;
  std::map<std::string, at::Tensor> weights_;
  std::map<std::string, at::Tensor> gradients_;
  std::vector<Layer> layers_;
};

}  // namespace natscope::test
