// SPDX-License-Identifier: GPL-3.0-or-later
/// Views of a model's weights, as stored: no copy, no conversion.
///
/// Matrices are [rows = outputs, cols = inputs], row-major; y = W·x. Vectors are rows = 1. Every view is aligned to its
/// item size. Views live as long as the ModelFolder (or a copy of it) that made them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/dtype.h"
#include "core/model/config.h"

namespace natscope {

struct WeightView {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;  ///< f32, bf16 or f16
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  bool mapped = false;  ///< in the mapped file; otherwise a copy made because the file's data is unaligned

  [[nodiscard]] bool present() const { return data != nullptr; }
  [[nodiscard]] std::int64_t elements() const { return rows * cols; }
  [[nodiscard]] std::int64_t size_bytes() const;
};

/// Low-rank addition to a projection: W + scale · B·A, to be merged or applied by the engine.
struct LoraView {
  WeightView a;        ///< [r, in]
  WeightView b;        ///< [out, r]
  float scale = 0.0F;  ///< alpha / r

  [[nodiscard]] bool present() const { return a.present(); }
};

/// Views that the config does not ask for are not present().
struct LayerWeights {
  WeightView input_norm;  ///< [E]
  WeightView q, k, v;     ///< [H·D, E], [K·D, E], [K·D, E]
  WeightView o;           ///< [E, H·D]
  WeightView q_bias, k_bias, v_bias, o_bias;
  WeightView q_norm, k_norm;       ///< [D]
  WeightView score;                ///< [3·K, E], rows 3k + {G, L, S}
  WeightView post_attention_norm;  ///< [E]
  WeightView gate, up;             ///< [I, E]
  WeightView down;                 ///< [E, I]
  WeightView gate_bias, up_bias, down_bias;
  LoraView q_lora, k_lora, v_lora, o_lora;
};

struct ModelWeights {
  WeightView embed;  ///< [vocab, E]
  std::vector<LayerWeights> layers;
  WeightView norm;     ///< [E]
  WeightView lm_head;  ///< [vocab, E]; the same view as embed when tied

  /// Tied weights once, score layers and LoRA included.
  [[nodiscard]] std::int64_t parameter_count() const;
};

}  // namespace natscope
