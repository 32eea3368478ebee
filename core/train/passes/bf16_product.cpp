// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/bf16_product.h"

#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>

namespace natscope::train {
namespace {

/// Whether oneDNN takes bf16 on this processor.
bool has_bf16_products() {
#ifdef __x86_64__
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has;
#else
  return true;
#endif
}

}  // namespace

void multiply_bf16(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  if (has_bf16_products())
    at::mm_out(out, a, b);
  else
    multiply_widened(out, a, b);
}

void multiply_widened(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  constexpr std::int64_t side = 512;
  const std::int64_t rows = a.size(0), inner = a.size(1), cols = b.size(1);
  for (std::int64_t row = 0; row < rows; row += side) {
    const std::int64_t m = std::min(side, rows - row);
    for (std::int64_t col = 0; col < cols; col += side) {
      const std::int64_t n = std::min(side, cols - col);
      at::Tensor sum = at::zeros({m, n}, at::kFloat);
      for (std::int64_t from = 0; from < inner; from += side) {
        const std::int64_t k = std::min(side, inner - from);
        sum.addmm_(a.narrow(0, row, m).narrow(1, from, k).to(at::kFloat),
                   b.narrow(0, from, k).narrow(1, col, n).to(at::kFloat));
      }
      out.narrow(0, row, m).narrow(1, col, n).copy_(sum);
    }
  }
}

}  // namespace natscope::train
