// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/device_weights.h"

#include <string>

#include "core/base/cancel.h"
#include "core/cache/kernel_status.h"

namespace natscope {

namespace {

using kernels::LinearRow;

std::string mebibytes(std::int64_t size_bytes) { return std::to_string(size_bytes >> 20) + " MiB"; }

/// Said before gigabytes are copied in vain. The cache and what passes work on come on top.
Expected<void> check_room(const kernels::DeviceDescription& device, std::int64_t weights_bytes) {
  if (weights_bytes <= device.free_bytes) return {};
  constexpr std::int64_t up = (1 << 20) - 1;  // what is needed is rounded up, what is free down
  return fail(ErrorCode::out_of_memory,
              "the model's weights take " + mebibytes(weights_bytes + up) + " of GPU memory, and " +
                  mebibytes(device.free_bytes) + " of " + mebibytes(device.memory_bytes) + " are free",
              "use --device cpu, or free memory on the GPU");
}

}  // namespace

Expected<const float*> DeviceWeights::keep(std::span<const float> numbers) {
  if (numbers.empty()) return nullptr;
  DeviceArray& array = kept_.emplace_back(*module_);
  NATSCOPE_CHECK(array.upload(numbers.data(), static_cast<std::int64_t>(numbers.size_bytes())));
  return array.as();
}

Expected<LinearRow> DeviceWeights::keep(const Matrix& matrix, std::span<const float> bias) {
  if (!matrix.present()) return LinearRow{};
  DeviceArray& array = kept_.emplace_back(*module_);
  NATSCOPE_CHECK(array.upload(matrix.data, matrix.rows * matrix.cols * kernels::element_bytes(matrix.dtype)));
  LinearRow product{array.as<void>(), matrix.dtype, matrix.rows, matrix.cols, nullptr, nullptr};
  NATSCOPE_TRY(product.bias, keep(bias));
  return product;
}

Expected<void> DeviceWeights::upload(const PreparedWeights& weights, std::stop_token stop) {
  NATSCOPE_CHECK(check_room(module_->description(), weights.size_bytes()));
  for (const PreparedLayer& from : weights.layers()) {
    NATSCOPE_CHECK(check(stop));
    DeviceLayer& layer = layers_.emplace_back();
    NATSCOPE_TRY(layer.q, keep(from.q, from.q_bias));
    NATSCOPE_TRY(layer.k, keep(from.k, from.k_bias));
    NATSCOPE_TRY(layer.v, keep(from.v, from.v_bias));
    NATSCOPE_TRY(layer.o, keep(from.o, from.o_bias));
    NATSCOPE_TRY(layer.gate, keep(from.gate, from.gate_bias));
    NATSCOPE_TRY(layer.up, keep(from.up, from.up_bias));
    NATSCOPE_TRY(layer.down, keep(from.down, from.down_bias));
    NATSCOPE_TRY(layer.score, keep(from.score, {}));
    NATSCOPE_TRY(layer.input_norm, keep(from.input_norm));
    NATSCOPE_TRY(layer.post_attention_norm, keep(from.post_attention_norm));
    NATSCOPE_TRY(layer.q_norm, keep(from.q_norm));
    NATSCOPE_TRY(layer.k_norm, keep(from.k_norm));
  }
  NATSCOPE_TRY(lm_head_, keep(weights.lm_head(), {}));
  NATSCOPE_TRY(norm_, keep(weights.norm()));
  return from_status(module_->operations().wait(module_->device()), "copy of the weights to the GPU");
}

}  // namespace natscope
