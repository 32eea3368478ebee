// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/row_math/row_math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/base/any_cpu.h"

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

/// exp of what is 0 at most, to a few units of the last place; of less than -708 as of -708.
[[gnu::always_inline]] inline double exp_of(double x) {
  const double bounded = std::max(x, -708.0);
  const double shifted = bounded * 1.4426950408889634 + 0x1.8p52;  // the low bits say the nearest whole number
  const double n = shifted - 0x1.8p52;
  const double r = (bounded - n * 0x1.62e42fefa3800p-1) - n * 0x1.ef35793c76730p-45;
  double series = 1.0 / 479001600;  // Taylor's: 1/12!, 1/11!, …
  series = series * r + 1.0 / 39916800;
  series = series * r + 1.0 / 3628800;
  series = series * r + 1.0 / 362880;
  series = series * r + 1.0 / 40320;
  series = series * r + 1.0 / 5040;
  series = series * r + 1.0 / 720;
  series = series * r + 1.0 / 120;
  series = series * r + 1.0 / 24;
  series = series * r + 1.0 / 6;
  series = series * r + 0.5;
  series = series * r + 1.0;
  series = series * r + 1.0;
  return series * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023U) << 52U);
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

NATSCOPE_ANY_CPU void rotate(float* head, const float* cosine, const float* sine, std::int64_t rotated) {
  const std::int64_t half = rotated / 2;
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

NATSCOPE_ANY_CPU void convert(const kernels::F16* x, std::int64_t size, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < size; ++i) out[i] = kernels::to_float(x[i]);
}

NATSCOPE_ANY_CPU float maximum(const float* x, std::int64_t size) {
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < size; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

NATSCOPE_ANY_CPU void block_maxima(const float* x, std::int64_t size, std::int64_t block, float* out) {
  for (std::int64_t first = 0; first < size; first += block, ++out) {
    const std::int64_t last = first + block < size ? first + block : size;
    float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = first; i < last; ++i) largest = x[i] > largest ? x[i] : largest;
    *out = largest;
  }
}

NATSCOPE_ANY_CPU bool has_nan(const float* x, std::int64_t size) {
  std::uint32_t found = 0;
#pragma omp simd reduction(| : found)
  for (std::int64_t i = 0; i < size; ++i)
    found |= (std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffU) > 0x7f800000U ? 1U : 0U;
  return found != 0;
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

NATSCOPE_ANY_CPU double exp_sum(const float* x, std::int64_t size, double shift, double scale) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < size; ++i) sum += exp_of((static_cast<double>(x[i]) - shift) * scale);
  return sum;
}

}  // namespace natscope::row_math
