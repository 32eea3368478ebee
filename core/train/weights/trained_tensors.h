// SPDX-License-Identifier: GPL-3.0-or-later
/// What a fine-tuning run trains, as leaves of LibTorch's autograd over one flat array. Private to core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/train/weights/base_tensors.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

/// Numbers of tensors are their places in layout.parameters.
class TrainedTensors {
 public:
  /// Leaves over `weights` f32 [layout.size], whose memory may change under them. `layout` must outlive this.
  TrainedTensors(const ParameterLayout& layout, const at::Tensor& weights);

  /// Puts the leaves where a model has tensors of their names.
  void place_in(ModelTensors& student, bool tied) const;

  [[nodiscard]] const at::Tensor& operator[](std::size_t number) const { return leaves_[number]; }
  [[nodiscard]] const std::vector<std::size_t>& of_layer(int layer) const;
  [[nodiscard]] std::optional<std::size_t> norm() const { return norm_; }
  [[nodiscard]] std::optional<std::size_t> embedding() const { return embedding_; }

  /// The part of a flat array [layout.size] that is this tensor's, in its shape.
  [[nodiscard]] at::Tensor part_of(const at::Tensor& flat, std::size_t number) const;

 private:
  const ParameterLayout& layout_;
  std::vector<at::Tensor> leaves_;
  std::map<int, std::vector<std::size_t>> of_layer_;
  std::optional<std::size_t> norm_, embedding_;
};

/// Functions of the seed, the tensor's number in the layout and the place alone; what the base has too is the base's
/// own.
///   [layout.size]
[[nodiscard]] std::vector<float> initial_trained_weights(const ParameterLayout& layout, const ModelTensors& base,
                                                         std::uint64_t seed);

}  // namespace natscope::train
