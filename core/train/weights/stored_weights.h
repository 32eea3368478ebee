// SPDX-License-Identifier: GPL-3.0-or-later
/// Trained weights as a safetensors file is to hold them. Private to core/train.
#pragma once

#include <span>
#include <vector>

#include "core/io/safetensors_writer.h"
#include "core/train/weights/parameters.h"
#include "kernels/element_type.h"

namespace natscope::train {

class StoredWeights {
 public:
  /// In f32, or rounded to bf16. `weights` [layout.size] must outlive this.
  StoredWeights(const ParameterLayout& layout, std::span<const float> weights, bool rounds);

  /// One for each of the layout's parameters, in its order; their data lives as long as this.
  [[nodiscard]] const std::vector<TensorToWrite>& tensors() const { return tensors_; }

 private:
  std::vector<kernels::Bf16> rounded_;
  std::vector<TensorToWrite> tensors_;
};

}  // namespace natscope::train
