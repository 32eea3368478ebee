// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train.h"

#include <array>
#include <cmath>
#include <new>

namespace natscope::kernels {

namespace {

constexpr std::int64_t largest_head_dim = 256;
constexpr std::int64_t largest_length = std::int64_t{1} << 30;  // positions, and a window past the end, stay within 32 bits

/// Sizes are these, and there is something behind the pointer where there are elements. `dense_axis`: stride must be 1.
template <class T, std::size_t Rank>
bool fits(const View<T, static_cast<int>(Rank)>& view, const std::array<std::int64_t, Rank>& sizes, int dense_axis = -1) {
  if (view.sizes != sizes) return false;
  std::int64_t elements = 1;
  for (const std::int64_t size : sizes) elements *= size;
  if (elements > 0 && view.data == nullptr) return false;
  return dense_axis < 0 || view.size(dense_axis) <= 1 || view.stride(dense_axis) == 1;
}

Status check_inputs(const AttentionTrainInputs& inputs) {
  const auto [batch, heads, length, head_dim] = inputs.q.sizes;
  const std::int64_t kv_heads = inputs.k.size(1);
  for (const std::int64_t size : {batch, heads, length, head_dim, kv_heads}) {
    if (size < 0) return {StatusCode::shape_mismatch, "a negative size"};
  }
  if (heads > 0 && (kv_heads == 0 || heads % kv_heads != 0)) return {StatusCode::shape_mismatch, "heads is no multiple of kv_heads"};
  if (heads == 0 && kv_heads > 0) return {StatusCode::shape_mismatch, "kv_heads without heads"};
  if (head_dim < 1 || head_dim > largest_head_dim) return {StatusCode::unsupported_shape, "head_dim outside 1 … 256"};
  if (length > largest_length) return {StatusCode::unsupported_shape, "more than 2^30 positions"};
  if (!fits(inputs.q, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "q"};
  if (!fits(inputs.k, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "k"};
  if (!fits(inputs.v, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "v"};
  if (!fits(inputs.roles, std::array{batch, kv_heads, length})) return {StatusCode::shape_mismatch, "roles"};
  if (inputs.window < 0) return {StatusCode::invalid_argument, "window is negative"};
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t k = 0; k < kv_heads; ++k) {
      for (std::int64_t n = 0; n < length; ++n) {
        if (static_cast<int>(inputs.roles(b, k, n)) >= role_count) return {StatusCode::invalid_argument, "a role over 2"};
      }
    }
  }
  return {};
}

/// A window longer than the sequence is the sequence: keeps position + window within 32 bits below.
AttentionTrainInputs with_short_window(AttentionTrainInputs inputs) {
  if (inputs.window > inputs.q.size(2)) inputs.window = inputs.q.size(2);
  return inputs;
}

bool is_empty(const AttentionTrainInputs& inputs) { return inputs.q.size(0) == 0 || inputs.q.size(1) == 0 || inputs.q.size(2) == 0; }

}  // namespace

Status attention_train_forward(Backend backend, const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse) {
  if (const Status status = check_inputs(inputs); !status.ok()) return status;
  const auto [batch, heads, length, head_dim] = inputs.q.sizes;
  if (!fits(out, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "out"};
  if (!fits(lse, std::array{batch, heads, length})) return {StatusCode::shape_mismatch, "lse"};
  if (backend == Backend::cuda) return {StatusCode::backend_unavailable, "training attention has no cuda code in this build"};
  if (is_empty(inputs)) return {};
  try {
    const AttentionTrainInputs checked = with_short_window(inputs);
    return backend == Backend::ref ? ref::attention_train_forward(checked, out, lse) : cpu::attention_train_forward(checked, out, lse);
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "scratch of the training attention"};
  }
}

Status attention_train_backward(Backend backend, const AttentionTrainInputs& inputs, ConstView<float, 4> out,
                                ConstView<float, 3> lse, ConstView<float, 4> d_out, double sparse_regularized_value,
                                View<float, 4> dq, View<float, 4> dk, View<float, 4> dv, View<float, 4> d_roles) {
  if (const Status status = check_inputs(inputs); !status.ok()) return status;
  const auto [batch, heads, length, head_dim] = inputs.q.sizes;
  const std::int64_t kv_heads = inputs.k.size(1);
  if (!fits(out, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "out"};
  if (!fits(lse, std::array{batch, heads, length})) return {StatusCode::shape_mismatch, "lse"};
  if (!fits(d_out, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "d_out"};
  if (!fits(dq, std::array{batch, heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "dq"};
  if (!fits(dk, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "dk"};
  if (!fits(dv, std::array{batch, kv_heads, length, head_dim}, 3)) return {StatusCode::shape_mismatch, "dv"};
  if (d_roles.data != nullptr && !fits(d_roles, std::array{batch, kv_heads, length, std::int64_t{role_count}})) {
    return {StatusCode::shape_mismatch, "d_roles"};
  }
  if (!std::isfinite(sparse_regularized_value)) return {StatusCode::invalid_argument, "sparse_regularized_value is not finite"};
  if (backend == Backend::cuda) return {StatusCode::backend_unavailable, "training attention has no cuda code in this build"};
  if (is_empty(inputs)) return {};
  const AttentionTrainGradients gradients{out, lse, d_out, sparse_regularized_value, dq, dk, dv, d_roles};
  try {
    const AttentionTrainInputs checked = with_short_window(inputs);
    return backend == Backend::ref ? ref::attention_train_backward(checked, gradients) : cpu::attention_train_backward(checked, gradients);
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "scratch of the training attention"};
  }
}

}  // namespace natscope::kernels
