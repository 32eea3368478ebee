// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/products/bf16_product.h"

#include <ATen/core/Tensor.h>
#include <ATen/cpu/Utils.h>
#include <ATen/native/CPUBlas.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <xmmintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>

// MKL's product of bf16 matrices with a sum in f32, which LibTorch's own interface rounds to bf16. Weak: another
// LibTorch may be built without MKL, and then its linear() is used.
extern "C" __attribute__((weak)) void cblas_gemm_bf16bf16f32(int layout, int transpose_a, int transpose_b, int m, int n,
                                                             int k, float alpha, const std::uint16_t* a, int lda,
                                                             const std::uint16_t* b, int ldb, float beta, float* c,
                                                             int ldc);

namespace natscope {

namespace {

using kernels::Bf16;

constexpr int row_major = 101;
constexpr int not_transposed = 111;
constexpr int transposed = 112;

// Sizes of the blocks that oneDNN multiplies: weights of 128 KiB stay in a core's second cache while all of x meets
// them, rows of x and of the output in its first.
constexpr std::int64_t block_n = 64;
constexpr std::int64_t block_rows = 128;
constexpr std::int64_t block_pairs = 256;

at::Tensor tensor(const Bf16* data, std::int64_t rows, std::int64_t cols) {
  return at::from_blob(const_cast<Bf16*>(data), {rows, cols}, at::TensorOptions().dtype(at::kBFloat16));
}

const at::BFloat16* numbers(const Bf16* data) { return reinterpret_cast<const at::BFloat16*>(data); }

/// Sixteen bytes of `from` and the three rows behind it, `stride` pairs each, become columns of `to`.
void transpose_4x4(const float* from, std::int64_t stride, float* to, std::int64_t to_stride) {
  __m128 a = _mm_loadu_ps(from);
  __m128 b = _mm_loadu_ps(from + stride);
  __m128 c = _mm_loadu_ps(from + 2 * stride);
  __m128 d = _mm_loadu_ps(from + 3 * stride);
  _MM_TRANSPOSE4_PS(a, b, c, d);  // moves bits only: what they mean is nothing to it
  _mm_storeu_ps(to, a);
  _mm_storeu_ps(to + to_stride, b);
  _mm_storeu_ps(to + 2 * to_stride, c);
  _mm_storeu_ps(to + 3 * to_stride, d);
}

/// Lays `pairs` pairs of columns of `rows` rows out as the processor's product of pairs reads them: packed [pairs,
/// rows], each cell two neighbouring numbers of one row. `weight` points at the first pair; its rows are `stride` pairs
/// apart.
void pack_pairs(const Bf16* weight, std::int64_t stride, std::int64_t rows, std::int64_t pairs, std::uint32_t* packed) {
  const auto* const from = reinterpret_cast<const float*>(weight);
  auto* const to = reinterpret_cast<float*>(packed);
  constexpr std::int64_t line = 16;
  const std::int64_t whole_pairs = pairs / 4 * 4;
  std::int64_t row = 0;
  for (; row + line <= rows; row += line) {
    for (std::int64_t pair = 0; pair < whole_pairs; pair += 4) {
      for (std::int64_t four = row; four < row + line; four += 4) {
        transpose_4x4(from + four * stride + pair, stride, to + pair * rows + four, rows);
      }
    }
  }
  const auto copy = [&](std::int64_t first_row, std::int64_t end_row, std::int64_t first_pair) {
    for (std::int64_t r = first_row; r < end_row; ++r) {
      for (std::int64_t pair = first_pair; pair < pairs; ++pair) {
        std::memcpy(packed + pair * rows + r, &weight[2 * (r * stride + pair)], sizeof(std::uint32_t));
      }
    }
  };
  copy(0, row, whole_pairs);
  copy(row, rows, 0);
}

#ifdef CPUBLAS_BRGEMM_BF16BF16F32
void multiply_in_blocks(const Bf16* x, std::int64_t n, std::int64_t cols, const Bf16* weight, std::int64_t rows,
                        bool add, float* out, std::int64_t out_stride, std::vector<std::uint32_t>& packed) {
  packed.resize(static_cast<std::size_t>(std::min(block_rows, rows) * std::min(block_pairs, cols / 2)));
  for (std::int64_t row = 0; row < rows; row += block_rows) {
    const std::int64_t some_rows = std::min(block_rows, rows - row);
    for (std::int64_t pair = 0; pair < cols / 2; pair += block_pairs) {
      const std::int64_t some_pairs = std::min(block_pairs, cols / 2 - pair);
      pack_pairs(weight + row * cols + 2 * pair, cols / 2, some_rows, some_pairs, packed.data());
      for (std::int64_t first = 0; first < n; first += block_n) {
        at::native::cpublas::brgemm(std::min(block_n, n - first), some_rows, 2 * some_pairs, cols, some_rows,
                                    out_stride, add || pair > 0, numbers(x + first * cols + 2 * pair),
                                    reinterpret_cast<const at::BFloat16*>(packed.data()),
                                    out + first * out_stride + row);
      }
    }
  }
  at::native::cpublas::brgemm_release();
}

/// A LibTorch without oneDNN says so only when asked to multiply, and one product that is known shows whether pairs lie
/// as it wants them.
bool blocks_work() {
  constexpr std::int64_t size = 4;
  std::array<Bf16, size * size> x{};
  std::array<Bf16, size * size> weight{};
  std::array<float, size * size> out{};
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = kernels::to_bf16(static_cast<float>(i));
    weight[i] = kernels::to_bf16(static_cast<float>(i % 5));
  }
  std::vector<std::uint32_t> packed;
  try {
    multiply_in_blocks(x.data(), size, size, weight.data(), size, false, out.data(), size, packed);
  } catch (const std::exception&) {
    return false;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    float sum = 0;
    for (std::size_t k = 0; k < size; ++k) {
      sum += static_cast<float>(i / size * size + k) * static_cast<float>((i % size * size + k) % 5);
    }
    if (out[i] != sum) return false;
  }
  return true;
}
#endif

bool has_mkl() { return cblas_gemm_bf16bf16f32 != nullptr; }

}  // namespace

bool Bf16Product::packs_weights() {
#ifdef CPUBLAS_BRGEMM_BF16BF16F32
  static const bool packs =
      __builtin_cpu_supports("avx512bf16") != 0 && !(has_mkl() && at::cpu::init_amx()) && blocks_work();
  return packs;
#else
  return false;
#endif
}

bool Bf16Product::splits_pay() {
  static const bool pays = has_mkl() && at::cpu::init_amx();
  return pays;
}

void Bf16Product::multiply(const Bf16* x, std::int64_t n, std::int64_t cols, const Bf16* weight, std::int64_t rows,
                           bool add, float* out, std::int64_t out_stride) {
#ifdef CPUBLAS_BRGEMM_BF16BF16F32
  if (packs_weights() && cols % 2 == 0) {
    multiply_in_blocks(x, n, cols, weight, rows, add, out, out_stride, packed_);
    return;
  }
#endif
  if (has_mkl()) {
    cblas_gemm_bf16bf16f32(row_major, not_transposed, transposed, static_cast<int>(n), static_cast<int>(rows),
                           static_cast<int>(cols), 1.0F, &x->bits, static_cast<int>(cols), &weight->bits,
                           static_cast<int>(cols), add ? 1.0F : 0.0F, out, static_cast<int>(out_stride));
    return;
  }
  at::Tensor result = at::from_blob(out, {n, rows}, {out_stride, 1}, at::TensorOptions().dtype(at::kFloat));
  const at::Tensor product = at::linear(tensor(x, n, cols), tensor(weight, rows, cols));
  if (add) {
    result.add_(product);
  } else {
    result.copy_(product);
  }
}

}  // namespace natscope
