// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/attention_train.h"

/// What the training attention asks of sizes and strides, wherever the arrays are: no element is read.
namespace natscope::kernels::launch {

inline constexpr std::int64_t largest_train_head_dim = 256;
inline constexpr std::int64_t largest_train_length =
    std::int64_t{1} << 30;  // positions, and a window past the end, stay within 32 bits

/// Sizes are these, and there is something behind the pointer where there are elements. `dense_axis`: stride must be 1.
template <class T, std::size_t Rank>
[[nodiscard]] bool fits(const View<T, static_cast<int>(Rank)>& view, const std::array<std::int64_t, Rank>& sizes,
                        int dense_axis = -1) {
  if (view.sizes != sizes) return false;
  std::int64_t elements = 1;
  for (const std::int64_t size : sizes) elements *= size;
  if (elements > 0 && view.data == nullptr) return false;
  return dense_axis < 0 || view.size(dense_axis) <= 1 || view.stride(dense_axis) == 1;
}

[[nodiscard]] inline Status check_train_shapes(const AttentionTrainInputs& inputs) {
  const auto [batch, heads, length, head_dim] = inputs.q.sizes;
  const std::int64_t kv_heads = inputs.k.size(1);
  for (const std::int64_t size : {batch, heads, length, head_dim, kv_heads}) {
    if (size < 0) return {StatusCode::shape_mismatch, "a negative size"};
  }
  if (heads > 0 && (kv_heads == 0 || heads % kv_heads != 0))
    return {StatusCode::shape_mismatch, "heads is no multiple of kv_heads"};
  if (heads == 0 && kv_heads > 0) return {StatusCode::shape_mismatch, "kv_heads without heads"};
  if (head_dim < 1 || head_dim > largest_train_head_dim)
    return {StatusCode::unsupported_shape, "head_dim outside 1 … 256"};
  if (length > largest_train_length) return {StatusCode::unsupported_shape, "more than 2^30 positions"};
  if (!fits(inputs.q, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "q"};
  if (!fits(inputs.k, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "k"};
  if (!fits(inputs.v, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "v"};
  if (!fits(inputs.roles, std::array{batch, kv_heads, length})) return {StatusCode::shape_mismatch, "roles"};
  if (inputs.window < 0) return {StatusCode::invalid_argument, "window is negative"};
  return {};
}

[[nodiscard]] inline Status check_train_outputs(const AttentionTrainInputs& inputs, ConstView<float, 4> out,
                                                ConstView<float, 3> lse) {
  const auto [batch, heads, length, head_dim] = inputs.q.sizes;
  if (!fits(out, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "out"};
  if (!fits(lse, std::array{batch, heads, length})) return {StatusCode::shape_mismatch, "lse"};
  return {};
}

[[nodiscard]] inline Status check_train_gradients(const AttentionTrainInputs& inputs, ConstView<float, 4> out,
                                                  ConstView<float, 3> lse, ConstView<float, 4> d_out,
                                                  double sparse_regularized_value, ConstView<float, 4> dq,
                                                  ConstView<float, 4> dk, ConstView<float, 4> dv,
                                                  ConstView<float, 4> d_roles) {
  const auto [batch, heads, length, head_dim] = inputs.q.sizes;
  const std::int64_t kv_heads = inputs.k.size(1);
  if (const Status status = check_train_outputs(inputs, out, lse); !status.ok()) return status;
  if (!fits(d_out, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "d_out"};
  if (!fits(dq, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "dq"};
  if (!fits(dk, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "dk"};
  if (!fits(dv, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "dv"};
  if (d_roles.data != nullptr && !fits(d_roles, std::array{batch, kv_heads, length, std::int64_t{role_count}})) {
    return {StatusCode::shape_mismatch, "d_roles"};
  }
  if (!std::isfinite(sparse_regularized_value))
    return {StatusCode::invalid_argument, "sparse_regularized_value is not finite"};
  return {};
}

[[nodiscard]] inline bool is_empty_train(const AttentionTrainInputs& inputs) {
  return inputs.q.size(0) == 0 || inputs.q.size(1) == 0 || inputs.q.size(2) == 0;
}

}  // namespace natscope::kernels::launch
