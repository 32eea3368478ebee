// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/device.h"
#include "kernels/linear.h"

namespace natscope::kernels::cuda {

/// out [rows, out_size] = x [rows, in_size] · weightᵀ + bias, or grows by it (`add`): kernels/linear.h with pointers
/// into device memory, for one row or several.
///
/// A warp a row of weights, in 16-byte pieces where they are aligned; four rows of x share one reading. Sums are f32,
/// in the same order on every run. Made for a step of one token, which reads every weight once; it uses no tensor
/// cores, so a long chunk is far from what the GPU could do. Errors: unsupported_shape, unsupported_dtype.
Status linear(const float* x, std::int64_t rows, const LinearRow& product, bool add, Stream stream);

}  // namespace natscope::kernels::cuda
