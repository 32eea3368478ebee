// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/linear.h"

#include <algorithm>
#include <cstddef>

#include "kernels/cpu/operations.h"
#include "kernels/cpu/shared_work.h"
#include "kernels/cpu/simd_targets.h"

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/linear.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/simd_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

/// One row: eight sums side by side hide the latency of the multiply-add, one row after the other keeps memory one
/// stream.
template <class Weight>
float row_product(const Weight* HWY_RESTRICT row, const float* HWY_RESTRICT x, std::size_t size) {
  const F32 d;
  const std::size_t lanes = hn::Lanes(d);
  constexpr std::size_t ahead = 1024 / sizeof(Weight);
  auto sum0 = hn::Zero(d);
  auto sum1 = sum0;
  auto sum2 = sum0;
  auto sum3 = sum0;
  std::size_t col = 0;
  for (; col + 4 * lanes <= size; col += 4 * lanes) {
    hwy::Prefetch(row + col + ahead);
    if (sizeof(Weight) * lanes * 4 > 128) {
      hwy::Prefetch(row + col + ahead + lanes);
      hwy::Prefetch(row + col + ahead + 2 * lanes);
      hwy::Prefetch(row + col + ahead + 3 * lanes);
    } else if (sizeof(Weight) * lanes * 4 > 64) {
      hwy::Prefetch(row + col + ahead + 2 * lanes);
    }
    sum0 = hn::MulAdd(load_row(row + col), hn::LoadU(d, x + col), sum0);
    sum1 = hn::MulAdd(load_row(row + col + lanes), hn::LoadU(d, x + col + lanes), sum1);
    sum2 = hn::MulAdd(load_row(row + col + 2 * lanes), hn::LoadU(d, x + col + 2 * lanes), sum2);
    sum3 = hn::MulAdd(load_row(row + col + 3 * lanes), hn::LoadU(d, x + col + 3 * lanes), sum3);
  }
  for (; col + lanes <= size; col += lanes) {
    sum0 = hn::MulAdd(load_row(row + col), hn::LoadU(d, x + col), sum0);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
  for (; col < size; ++col) sum += to_f32(row[col]) * x[col];
  return sum;
}

template <class Weight>
void product_rows(const LinearRow& product, const float* x, std::int64_t begin, std::int64_t end) {
  const auto* weight = static_cast<const Weight*>(product.weight);
  for (std::int64_t row = begin; row < end; ++row) {
    const float sum = row_product(weight + row * product.in_size, x, static_cast<std::size_t>(product.in_size));
    product.out[row] = product.bias != nullptr ? sum + product.bias[row] : sum;
  }
}

void linear_rows(const LinearRow& product, const float* x, std::int64_t begin, std::int64_t end) {
  if (product.dtype == ElementType::f32) {
    product_rows<float>(product, x, begin, end);
  } else {
    product_rows<Bf16>(product, x, begin, end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(linear_rows);

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
  const std::int64_t step = std::max<std::int64_t>(1, step_bytes / std::max<std::int64_t>(1, bytes / rows));
  const auto run_rows = HWY_DYNAMIC_DISPATCH(linear_rows);
  share_work(rows, step, static_cast<double>(bytes) / bytes_a_ns, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t first = 0;
    for (const LinearRow& product : products) {
      const std::int64_t from = std::max(begin - first, std::int64_t{0});
      const std::int64_t to = std::min(end - first, product.out_size);
      if (from < to) run_rows(product, x.data(), from, to);
      first += product.out_size;
    }
  });
  return {};
}

}  // namespace natscope::kernels::cpu
#endif
