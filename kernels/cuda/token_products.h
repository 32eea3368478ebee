// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/device_operations.h"

namespace natscope::kernels::cuda {

/// Products of a step's token: every weight is read once, norm before and gate after included. What rms_norm, linear
/// and swiglu make one after the other, but for the order of its sums. Equal bits on every run on the same GPU.
///
/// A warp two rows of weights; as many blocks as run at the same time, each of which norms the row for itself. On a GPU
/// of compute capability 9.0 and more the first weights are on their way before the kernel ahead has ended.
/// Errors: invalid_argument (count), shape_mismatch (in_size, gate's out_size), unsupported_dtype (weights in f16, a
/// gate of two types), unsupported_shape (over 2^30 rows of weights, or numbers of x).
Status token_products(const TokenProducts& call, Stream stream);

}  // namespace natscope::kernels::cuda
