// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/device/device_module.h"
#include "core/engine/products/prepared_weights.h"
#include "kernels/linear.h"

namespace natscope {

/// A layer's weights in device memory; `out` of the products is left to whoever multiplies.
struct DeviceLayer {
  kernels::LinearRow q, k, v, o, gate, up, down;
  kernels::LinearRow score;  ///< weight null without score layers
  const float* input_norm = nullptr;
  const float* post_attention_norm = nullptr;
  const float* q_norm = nullptr;  ///< null without q/k norms
  const float* k_norm = nullptr;

  [[nodiscard]] bool has_scores() const { return score.weight != nullptr; }
};

/// The product, with its place to go.
[[nodiscard]] inline kernels::LinearRow into(float* out, kernels::LinearRow product) {
  product.out = out;
  return product;
}

/// The weights of PreparedWeights, copied to a device once; the embedding stays on the host. The module must outlive
/// it.
class DeviceWeights {
 public:
  explicit DeviceWeights(const DeviceModule& module) : module_(&module) {}

  /// Errors: out_of_memory (at once when they do not fit, by a sentence that says how much is needed and free),
  /// interrupted, internal.
  [[nodiscard]] Expected<void> upload(const PreparedWeights& weights, std::stop_token stop);

  [[nodiscard]] std::span<const DeviceLayer> layers() const { return layers_; }
  [[nodiscard]] const DeviceLayer& layer(std::int32_t index) const { return layers_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] const kernels::LinearRow& lm_head() const { return lm_head_; }
  [[nodiscard]] const float* norm() const { return norm_; }

 private:
  [[nodiscard]] Expected<const float*> keep(std::span<const float> numbers);
  [[nodiscard]] Expected<kernels::LinearRow> keep(const Matrix& matrix, std::span<const float> bias);

  const DeviceModule* module_;
  std::vector<DeviceArray> kept_;
  std::vector<DeviceLayer> layers_;
  kernels::LinearRow lm_head_;
  const float* norm_ = nullptr;
};

}  // namespace natscope
