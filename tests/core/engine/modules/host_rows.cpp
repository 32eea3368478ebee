// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/engine/modules/host_rows.h"

#include <vector>

#include "core/row_math/row_math.h"
#include "kernels/linear.h"
#include "tests/core/engine/modules/host_memory.h"

namespace natscope::test::host {

using kernels::Backend;
using kernels::LinearRow;
using kernels::StatusCode;

Status rms_norm(OpenedDevice* device, const float* x, const float* weight, std::int64_t rows, std::int64_t cols,
                float eps, bool round, float* out) {
  if (!owns(device, x, rows * cols) || !owns(device, weight, cols) || !owns(device, out, rows * cols)) return foreign;
  for (std::int64_t row = 0; row < rows; ++row) row_math::rms_norm(x + row * cols, weight, cols, eps, out + row * cols);
  if (round) row_math::round_to_bf16(out, rows * cols);
  return ok;
}

Status turn_heads(OpenedDevice* device, float* x, const float* norm, const float* cosine, const float* sine,
                  std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t rotated, float eps,
                  bool round) {
  const std::int64_t half = rotated / 2;
  if (!owns(device, x, rows * heads * head_dim) || (norm != nullptr && !owns(device, norm, head_dim)) ||
      !owns(device, cosine, rows * half) || !owns(device, sine, rows * half)) {
    return foreign;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t head = 0; head < heads; ++head) {
      float* const at = x + (row * heads + head) * head_dim;
      if (norm != nullptr) row_math::rms_norm(at, norm, head_dim, eps, at);
      row_math::rotate(at, cosine + row * half, sine + row * half, rotated);
    }
  }
  if (round) row_math::round_to_bf16(x, rows * heads * head_dim);
  return ok;
}

Status swiglu(OpenedDevice* device, float* gate, const float* up, std::int64_t size, bool round) {
  if (!owns(device, gate, size) || !owns(device, up, size)) return foreign;
  row_math::swiglu(gate, up, size, gate);
  if (round) row_math::round_to_bf16(gate, size);
  return ok;
}

Status round_to_bf16(OpenedDevice* device, float* x, std::int64_t size) {
  if (!owns(device, x, size)) return foreign;
  row_math::round_to_bf16(x, size);
  return ok;
}

Status linear(OpenedDevice* device, const float* x, std::int64_t rows, const LinearRow* product, bool add) {
  const LinearRow& p = *product;
  if (!owns(device, x, rows * p.in_size) ||
      !owns(device, p.weight, p.out_size * p.in_size * kernels::element_bytes(p.dtype)) ||
      (p.bias != nullptr && !owns(device, p.bias, p.out_size)) || !owns(device, p.out, rows * p.out_size)) {
    return foreign;
  }
  std::vector<float> result(static_cast<std::size_t>(p.out_size));
  for (std::int64_t row = 0; row < rows; ++row) {
    LinearRow one = p;
    one.out = result.data();
    if (const Status status =
            kernels::linear_row(Backend::cpu, {x + row * p.in_size, static_cast<std::size_t>(p.in_size)}, {&one, 1});
        !status.ok())
      return status;
    for (std::int64_t i = 0; i < p.out_size; ++i) {
      float& out = p.out[row * p.out_size + i];
      out = (add ? out : 0) + result[static_cast<std::size_t>(i)];
    }
  }
  return ok;
}

Status assign_roles(OpenedDevice* device, const Role* prescribed, const float* scores, std::int64_t kv_heads,
                    std::int64_t n, float global_bias, Role* roles) {
  if (!owns(device, static_cast<const void*>(prescribed), kv_heads * n) ||
      !owns(device, static_cast<const void*>(roles), kv_heads * n) ||
      (scores != nullptr && !owns(device, scores, n * kv_heads * role_count))) {
    return foreign;
  }
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    for (std::int64_t row = 0; row < n; ++row) {
      const std::int64_t at = head * n + row;
      if (scores == nullptr && prescribed[at] == by_scores) return {StatusCode::invalid_argument, "no scores"};
      const float* const of_token = scores != nullptr ? scores + (row * kv_heads + head) * role_count : nullptr;
      roles[at] = role_of(prescribed[at], of_token, global_bias);
    }
  }
  return ok;
}

Status token_products(OpenedDevice* device, const kernels::TokenProducts* call) {
  using Into = kernels::TokenProducts::Into;
  const std::int64_t in_size = call->products[0].in_size;
  if (call->count < 1 || call->count > kernels::TokenProducts::most || !owns(device, call->x, in_size)) return foreign;
  std::vector<float> normed(call->x, call->x + in_size);
  if (call->norm != nullptr) {
    if (!owns(device, call->norm, in_size)) return foreign;
    row_math::rms_norm(call->x, call->norm, in_size, call->eps, normed.data());
    if (call->round) row_math::round_to_bf16(normed.data(), in_size);
  }
  std::vector<float> results[kernels::TokenProducts::most];
  for (std::int32_t index = 0; index < call->count; ++index) {
    LinearRow product = call->products[index];
    if (product.in_size != in_size || !owns(device, product.out, product.out_size)) return foreign;
    if (!owns(device, product.weight, product.out_size * in_size * kernels::element_bytes(product.dtype)) ||
        (product.bias != nullptr && !owns(device, product.bias, product.out_size)))
      return foreign;
    results[index].resize(static_cast<std::size_t>(product.out_size));
    product.out = results[index].data();
    if (const Status status = kernels::linear_row(Backend::cpu, normed, {&product, 1}); !status.ok()) return status;
  }
  if (call->into == Into::gate) {
    if (call->count != 2 || call->products[0].dtype != call->products[1].dtype)
      return {StatusCode::unsupported_dtype, "gate"};
    const std::int64_t size = call->products[0].out_size;
    row_math::swiglu(results[0].data(), results[1].data(), size, call->products[0].out);
    if (call->round) row_math::round_to_bf16(call->products[0].out, size);
    return ok;
  }
  for (std::int32_t index = 0; index < call->count; ++index) {
    float* const out = call->products[index].out;
    for (std::size_t i = 0; i < results[index].size(); ++i)
      out[i] = (call->into == Into::sum ? out[i] : 0) + results[index][i];
  }
  return ok;
}

Status token_heads(OpenedDevice* device, const kernels::TokenHeads* call) {
  if (!owns(device, call->values, std::int64_t{call->kv_heads} * call->head_dim)) return foreign;
  const auto turn = [&](float* rows, const float* norm, std::int32_t heads) {
    return turn_heads(device, rows, norm, call->cosine, call->sine, 1, heads, call->head_dim, call->rotated, call->eps,
                      call->round);
  };
  if (const Status status = turn(call->queries, call->q_norm, call->heads); !status.ok()) return status;
  if (const Status status = turn(call->keys, call->k_norm, call->kv_heads); !status.ok()) return status;
  if (call->round) row_math::round_to_bf16(call->values, std::int64_t{call->kv_heads} * call->head_dim);
  return assign_roles(device, call->prescribed, call->scores, call->kv_heads, 1, call->global_bias, call->roles);
}

}  // namespace natscope::test::host
