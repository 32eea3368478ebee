// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/stored_weights.h"

namespace natscope::train {

StoredWeights::StoredWeights(const ParameterLayout& layout, std::span<const float> weights, bool rounds) {
  if (rounds) {
    rounded_.reserve(weights.size());
    for (const float value : weights) rounded_.push_back(kernels::to_bf16(value));
  }
  for (const Parameter& p : layout.parameters) {
    const auto begin = static_cast<std::size_t>(p.offset);
    const auto count = static_cast<std::size_t>(p.elements);
    const auto bytes = rounds ? std::as_bytes(std::span<const kernels::Bf16>(rounded_).subspan(begin, count))
                              : std::as_bytes(weights.subspan(begin, count));
    tensors_.push_back({p.name, rounds ? DType::bf16 : DType::f32, p.shape, bytes, {}});
  }
}

}  // namespace natscope::train
