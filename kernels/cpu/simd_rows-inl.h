// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of f32, bf16 or f16 as f32 vectors, and the exponential: compiled once for each instruction set (Highway's foreach_target).
#if defined(NATSCOPE_SIMD_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NATSCOPE_SIMD_ROWS_INL_H
#undef NATSCOPE_SIMD_ROWS_INL_H
#else
#define NATSCOPE_SIMD_ROWS_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/element_type.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using F32Vec = hn::Vec<F32>;
inline constexpr std::size_t f32_lanes = hn::MaxLanes(F32());  // x86: what is compiled for is what there is

HWY_INLINE F32Vec load_row(const float* row) { return hn::LoadU(F32(), row); }
HWY_INLINE F32Vec load_row(const Bf16* row) {
  const hn::Rebind<hwy::bfloat16_t, F32> half;
  return hn::PromoteTo(F32(), hn::LoadU(half, reinterpret_cast<const hwy::bfloat16_t*>(row)));
}

HWY_INLINE F32Vec load_row(const F16* row) {
  const hn::Rebind<hwy::float16_t, F32> half;
  return hn::PromoteTo(F32(), hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(row)));
}

/// Two vectors of neighbouring elements. Of bf16 the first holds those at even places and the second those at odd ones:
/// one load and two cheap operations, where keeping the order takes twice as many. arranged_place says where one is.
struct RowPair {
  F32Vec first;
  F32Vec second;
};

HWY_INLINE RowPair load_pair(const float* row) { return {hn::LoadU(F32(), row), hn::LoadU(F32(), row + f32_lanes)}; }
HWY_INLINE RowPair load_pair(const F16* row) { return {load_row(row), load_row(row + f32_lanes)}; }
HWY_INLINE RowPair load_pair(const Bf16* row) {
  const F32 d;
  const hn::RebindToUnsigned<F32> du;
  const auto words = hn::LoadU(du, reinterpret_cast<const std::uint32_t*>(row));
  return {hn::BitCast(d, hn::ShiftLeft<16>(words)), hn::BitCast(d, hn::And(words, hn::Set(du, 0xffff0000U)))};
}

/// The first `count` elements of a pair, zeros behind them; reads nothing past them.
template <class Element>
HWY_INLINE RowPair load_pair_end(const Element* row, std::size_t count) {
  Element whole[2 * f32_lanes] = {};
  std::memcpy(whole, row, count * sizeof(Element));
  return load_pair(whole);
}

/// Place of element i in the order of load_pair.
constexpr std::size_t arranged_place(std::size_t i, ElementType dtype) {
  if (dtype != ElementType::bf16) return i;
  const std::size_t within = i % (2 * f32_lanes);
  return i - within + (within % 2 == 0 ? within / 2 : f32_lanes + within / 2);
}

/// Rounded to nearest, ties to even; NaN stays NaN: to_bf16 of every lane.
HWY_INLINE void store_row(F32Vec numbers, Bf16* to) {
  const hn::RebindToUnsigned<F32> du;
  const hn::RebindToSigned<F32> di;
  const hn::Rebind<std::uint16_t, F32> half;
  const auto bits = hn::BitCast(du, numbers);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(du, 1U));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fffU))));
  const auto quiet = hn::Or(upper, hn::Set(du, 0x40U));
  const auto chosen = hn::IfThenElse(hn::RebindMask(du, hn::Ne(numbers, numbers)), quiet, rounded);
  hn::StoreU(hn::DemoteTo(half, hn::BitCast(di, chosen)), half, reinterpret_cast<std::uint16_t*>(to));
}

HWY_INLINE float to_f32(float number) { return number; }
HWY_INLINE float to_f32(Bf16 number) { return to_float(number); }

/// The sums of four vectors, side by side.
HWY_INLINE void store_sums_of_four(F32Vec a0, F32Vec a1, F32Vec a2, F32Vec a3, float* to) {
  const F32 d;
#if HWY_TARGET == HWY_SCALAR
  hn::StoreU(a0, d, to);
  hn::StoreU(a1, d, to + 1);
  hn::StoreU(a2, d, to + 2);
  hn::StoreU(a3, d, to + 3);
#else
  const auto even = hn::Add(hn::InterleaveLower(d, a0, a2), hn::InterleaveUpper(d, a0, a2));
  const auto odd = hn::Add(hn::InterleaveLower(d, a1, a3), hn::InterleaveUpper(d, a1, a3));
  // Every block of four lanes now holds partial sums of a0, a1, a2, a3 in this order.
  const auto blocks = hn::Add(hn::InterleaveLower(d, even, odd), hn::InterleaveUpper(d, even, odd));
#if HWY_TARGET <= HWY_AVX3
  const hn::Half<F32> half;
  const hn::Half<hn::Half<F32>> quarter;
  const auto two = hn::Add(hn::LowerHalf(half, blocks), hn::UpperHalf(half, blocks));
  hn::StoreU(hn::Add(hn::LowerHalf(quarter, two), hn::UpperHalf(quarter, two)), quarter, to);
#elif HWY_TARGET == HWY_AVX2
  const hn::Half<F32> half;
  hn::StoreU(hn::Add(hn::LowerHalf(half, blocks), hn::UpperHalf(half, blocks)), half, to);
#else
  hn::StoreU(blocks, d, to);
#endif
#endif
}

/// e^x for x up to 80 (Cephes's polynomial), and 0 below e^-69: nothing next to the weights it is added to, and
/// products with it would become denormal and slow. Relative error about 1e-7; NaN stays NaN.
HWY_INLINE F32Vec exp_of(F32Vec x) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  const auto vanishes = hn::Lt(x, hn::Set(d, -69.0F));
  const auto shifter =
      hn::Set(d, 12582912.0F);  // 1.5 · 2^23: adding it rounds to whole numbers, which then stand in the low bits
  const auto shifted = hn::MulAdd(x, hn::Set(d, 1.44269504088896341F), shifter);
  const auto whole = hn::Sub(shifted, shifter);
  // x − whole · ln 2 in two parts, the first exact in few bits; then the power series up to what f32 resolves.
  auto f = hn::NegMulAdd(whole, hn::Set(d, 0.693359375F), x);
  f = hn::NegMulAdd(whole, hn::Set(d, -2.12194440e-4F), f);
  auto p = hn::Set(d, 1.9875691500e-4F);
  p = hn::MulAdd(p, f, hn::Set(d, 1.3981999507e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 8.3334519073e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 4.1665795894e-2F));
  p = hn::MulAdd(p, f, hn::Set(d, 1.6666665459e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 5.0000001201e-1F));
  p = hn::MulAdd(p, hn::Mul(f, f), hn::Add(f, hn::Set(d, 1.0F)));
  const auto power = hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted))));
  return hn::IfThenZeroElse(vanishes, power);
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
