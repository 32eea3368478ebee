// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/status.h"

namespace natscope::kernels {

/// One matrix of a product with a single row: out = weight · x (+ bias).
///   weight [out_size, in_size] packed, any alignment of its own element; bias [out_size] f32 or null
struct LinearRow {
  const void* weight = nullptr;
  ElementType dtype = ElementType::f32;
  std::int64_t out_size = 0;
  std::int64_t in_size = 0;
  const float* bias = nullptr;
  float* out = nullptr;  ///< [out_size]; must not overlap x
};

/// Several products of the same row x [in_size] f32, in one parallel region: q, k, v and score layer together, gate and
/// up.
///
/// Sums are f32 at least. The order of summation depends on sizes alone, not on the number of threads: equal bits on
/// every run. Cost: every weight is read once, at memory bandwidth, on the threads of shared_work.h. Errors:
/// shape_mismatch.
Status linear_row(Backend backend, std::span<const float> x, std::span<const LinearRow> products);

}  // namespace natscope::kernels
