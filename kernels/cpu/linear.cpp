// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/linear.h"

#include <algorithm>
#include <cstddef>

#include "kernels/cpu/operations.h"
#include "kernels/cpu/simd_targets.h"
#include "kernels/shared_work.h"

#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linear.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/simd_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

/// One row of weights and x in the order of load_pair. Eight sums side by side hide the latency of the multiply-add;
/// one row after the other keeps memory one stream, asked for well ahead of the hardware's own guess.
template <class Weight>
float row_product(const Weight* HWY_RESTRICT row, const float* HWY_RESTRICT x, std::size_t size) {
  const F32 d;
  constexpr std::size_t pair = 2 * f32_lanes;
  constexpr std::size_t step = 4 * pair;
  constexpr std::size_t line = 64 / sizeof(Weight);
  constexpr std::size_t ahead = 2048 / sizeof(Weight);
  F32Vec sum0[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  F32Vec sum1[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  std::size_t col = 0;
  for (; col + step <= size; col += step) {
    for (std::size_t at = 0; at < step; at += line) hwy::Prefetch(row + col + ahead + at);
    for (std::size_t part = 0; part < 4; ++part) {
      const std::size_t at = col + part * pair;
      const RowPair weights = load_pair(row + at);
      sum0[part] = hn::MulAdd(weights.first, hn::LoadU(d, x + at), sum0[part]);
      sum1[part] = hn::MulAdd(weights.second, hn::LoadU(d, x + at + f32_lanes), sum1[part]);
    }
  }
  for (; col < size; col += pair) {
    const RowPair weights = col + pair <= size ? load_pair(row + col) : load_pair_end(row + col, size - col);
    sum0[0] = hn::MulAdd(weights.first, hn::LoadU(d, x + col), sum0[0]);
    sum1[0] = hn::MulAdd(weights.second, hn::LoadU(d, x + col + f32_lanes), sum1[0]);
  }
  for (int part = 1; part < 4; ++part) {
    sum0[0] = hn::Add(sum0[0], sum0[part]);
    sum1[0] = hn::Add(sum1[0], sum1[part]);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0[0], sum1[0])));
}

template <class Weight>
void product_rows(const LinearRow& product, const float* x, std::int64_t begin, std::int64_t end) {
  const auto* weight = static_cast<const Weight*>(product.weight);
  for (std::int64_t row = begin; row < end; ++row) {
    const float sum = row_product(weight + row * product.in_size, x, static_cast<std::size_t>(product.in_size));
    product.out[row] = product.bias != nullptr ? sum + product.bias[row] : sum;
  }
}

/// x as products with weights of this type take it: in the order of load_pair, zeros up to a whole pair.
void arrange_x(const float* x, std::size_t size, ElementType dtype, float* arranged) {
  const std::size_t padded = (size + 2 * f32_lanes - 1) / (2 * f32_lanes) * (2 * f32_lanes);
  for (std::size_t i = 0; i < padded; ++i) arranged[arranged_place(i, dtype)] = i < size ? x[i] : 0.0F;
}

void linear_rows(const LinearRow& product, const float* x, std::int64_t begin, std::int64_t end) {
  switch (product.dtype) {
    case ElementType::f32:
      return product_rows<float>(product, x, begin, end);
    case ElementType::bf16:
      return product_rows<Bf16>(product, x, begin, end);
    case ElementType::f16:
      return product_rows<F16>(product, x, begin, end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(linear_rows);
HWY_EXPORT(arrange_x);

namespace {

constexpr double bytes_a_ns = 15;               // about what one core reads
constexpr std::int64_t step_bytes = 64 * 1024;  // what one thread reads before it looks for more work

}  // namespace

Status linear_row(std::span<const float> x, std::span<const LinearRow> products) {
  // Rows of all products as one sequence, so that threads share them evenly whatever the sizes are.
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  for (const LinearRow& product : products) {
    rows += product.out_size;
    bytes += product.out_size * product.in_size * element_bytes(product.dtype);
  }
  if (rows == 0) return {};
  // One x for each order that weights in the call want, padded to whole pairs of the widest vectors.
  const std::size_t padded = (x.size() / 32 + 1) * 32;
  const auto arranged = hwy::AllocateAligned<float>(2 * padded);
  if (arranged == nullptr) return {StatusCode::out_of_memory, "linear_row"};
  const auto arrange = HWY_DYNAMIC_DISPATCH(arrange_x);
  const auto own_x = [&](ElementType dtype) { return arranged.get() + (dtype == ElementType::bf16 ? padded : 0); };
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const bool wanted = std::any_of(products.begin(), products.end(),
                                    [&](const LinearRow& product) { return own_x(product.dtype) == own_x(dtype); });
    if (wanted) arrange(x.data(), x.size(), dtype, own_x(dtype));
  }
  const std::int64_t step = std::max<std::int64_t>(1, step_bytes / std::max<std::int64_t>(1, bytes / rows));
  const auto run_rows = HWY_DYNAMIC_DISPATCH(linear_rows);
  share_work(rows, step, static_cast<double>(bytes) / bytes_a_ns, [&](int, std::int64_t begin, std::int64_t end) {
    std::int64_t first = 0;
    for (const LinearRow& product : products) {
      const std::int64_t from = std::max(begin - first, std::int64_t{0});
      const std::int64_t to = std::min(end - first, product.out_size);
      if (from < to) run_rows(product, own_x(product.dtype), from, to);
      first += product.out_size;
    }
  });
  return {};
}

}  // namespace natscope::kernels::cpu
#endif
