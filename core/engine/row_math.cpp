// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/row_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

// Picking a version happens before a sanitizer's run-time library is ready, so sanitized builds take the plain one.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define NATSCOPE_ANY_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NATSCOPE_ANY_CPU
#endif

namespace natscope::row_math {

namespace {

/// exp to about one unit in the last place, without a branch so that loops over it vectorise.
/// Source: Cephes' expf: exp(x) = 2^n · exp(r), |r| <= ln(2)/2.
[[gnu::always_inline]] inline float exp_of(float x) {
  const float bounded = std::min(std::max(x, -87.33654F), 88.37626F);
  const float n = (bounded * 1.44269504F + 12582912.0F) - 12582912.0F;  // to the nearest whole number: 1.5 · 2^23
  const float r = (bounded - n * 0.693359375F) + n * 2.12194440e-4F;
  float series = 1.9875691500e-4F;
  series = series * r + 1.3981999507e-3F;
  series = series * r + 8.3334519073e-3F;
  series = series * r + 4.1665795894e-2F;
  series = series * r + 1.6666665459e-1F;
  series = series * r + 5.0000001201e-1F;
  const float value = series * r * r + r + 1.0F;
  return value * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

[[gnu::always_inline]] inline std::uint32_t bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = bits + 0x7fffU + ((bits >> 16U) & 1U);
  const bool is_nan = (bits & 0x7fffffffU) > 0x7f800000U;
  return is_nan ? bits | 0x400000U : rounded;
}

}  // namespace

NATSCOPE_ANY_CPU void rms_norm(const float* x, const float* weight, std::int64_t size, float eps, float* out) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < size; ++i) squares += x[i] * x[i];
  const float scale = 1.0F / std::sqrt(squares / static_cast<float>(size) + eps);
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) out[i] = x[i] * scale * weight[i];
}

NATSCOPE_ANY_CPU void rotate(float* head, const float* cosine, const float* sine, std::int64_t head_dim) {
  const std::int64_t half = head_dim / 2;
#pragma omp simd
  for (std::int64_t i = 0; i < half; ++i) {
    const float low = head[i];
    const float high = head[i + half];
    head[i] = low * cosine[i] - high * sine[i];
    head[i + half] = high * cosine[i] + low * sine[i];
  }
}

NATSCOPE_ANY_CPU void swiglu(const float* gate, const float* up, std::int64_t size, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) out[i] = gate[i] / (1.0F + exp_of(-gate[i])) * up[i];
}

NATSCOPE_ANY_CPU void add(float* x, const float* y, std::int64_t size) {
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) x[i] += y[i];
}

NATSCOPE_ANY_CPU void round_to_bf16(float* x, std::int64_t size) {
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) x[i] = std::bit_cast<float>(bf16_bits(x[i]) & 0xffff0000U);
}

NATSCOPE_ANY_CPU void convert(const float* x, std::int64_t size, kernels::Bf16* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) out[i].bits = static_cast<std::uint16_t>(bf16_bits(x[i]) >> 16U);
}

NATSCOPE_ANY_CPU void convert(const kernels::Bf16* x, std::int64_t size, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(x[i].bits) << 16U);
}

NATSCOPE_ANY_CPU float maximum(const float* x, std::int64_t size) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < size; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

NATSCOPE_ANY_CPU double exp_sum(const float* x, std::int64_t size, float shift) {
  // Short runs in f32, their sums in double: as exact as the terms, and as fast.
  constexpr std::int64_t run = 1024;
  double total = 0;
  for (std::int64_t first = 0; first < size; first += run) {
    const std::int64_t last = first + run < size ? first + run : size;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = first; i < last; ++i) sum += exp_of(x[i] - shift);
    total += static_cast<double>(sum);
  }
  return total;
}

}  // namespace natscope::row_math
