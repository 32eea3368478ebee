// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/model/config.h"
#include "core/model/weights.h"
#include "kernels/element_type.h"

namespace natscope {

/// A weight matrix as products read it: [rows, cols] packed, y = W·x.
struct Matrix {
  const void* data = nullptr;
  kernels::ElementType dtype = kernels::ElementType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  [[nodiscard]] bool present() const { return data != nullptr; }
};

struct PreparedLayer {
  Matrix q, k, v, o, gate, up, down;
  Matrix score;  ///< not present without score layers
  std::vector<float> input_norm, post_attention_norm;
  std::vector<float> q_norm, k_norm;                                                 ///< empty without q/k norms
  std::vector<float> q_bias, k_bias, v_bias, o_bias, gate_bias, up_bias, down_bias;  ///< empty where there is none
};

/// The weights in the form that the engine computes with. What is stored in a fitting type is read where it is mapped;
/// only what is not (f32 and f16 weights of a bf16 engine; f16 ones for a GPU) and what LoRA changes is converted once
/// and owned here.
///
/// f32 engines use stored bf16, and on a CPU f16, as it is: exact, and half the bytes to read.
class PreparedWeights {
 public:
  /// Whose products the weights are for: a GPU's take no f16.
  enum class Products : std::uint8_t { cpu, device };

  /// Of the first `layers` layers. Views in `weights` must outlive the result. Errors: out_of_memory, interrupted.
  [[nodiscard]] static Expected<PreparedWeights> create(const ModelConfig& config, const ModelWeights& weights,
                                                        std::int32_t layers, kernels::ElementType dtype,
                                                        Products products, std::stop_token stop);

  [[nodiscard]] std::span<const PreparedLayer> layers() const { return layers_; }
  [[nodiscard]] const Matrix& lm_head() const { return lm_head_; }
  /// Of the last norm, divided by the model's logits_scaling.
  [[nodiscard]] std::span<const float> norm() const { return norm_; }
  /// Of all of the above: what a copy of them takes.
  [[nodiscard]] std::int64_t size_bytes() const;
  /// The embedding of one token as f32, [hidden], as the residual stream begins with it.
  void embed(std::int32_t token, std::span<float> out) const;

 private:
  struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }
  };
  using Buffer = std::unique_ptr<void, FreeMemory>;

  [[nodiscard]] void* own(std::size_t size_bytes);
  [[nodiscard]] Matrix prepare(const WeightView& view, const LoraView& lora, kernels::ElementType dtype,
                               Products products);

  std::vector<PreparedLayer> layers_;
  Matrix lm_head_;
  WeightView embedding_;
  float embedding_scale_ = 1;
  std::vector<float> norm_;
  std::vector<Buffer> owned_;
};

}  // namespace natscope
