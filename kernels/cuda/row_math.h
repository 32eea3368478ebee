// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/device.h"

/// The small loops between matrix products, over rows in device memory. Arithmetic is f32; `round` rounds what is
/// written to bf16, kept as f32. Equal bits on every run. Sizes are at least 1. Errors: unsupported_shape (over 2³¹ - 1
/// blocks).
namespace natscope::kernels::cuda {

/// out [rows, cols] = x / sqrt(mean(x²) + eps) · weight [cols]; out may be x.
Status rms_norm(const float* x, const float* weight, std::int64_t rows, std::int64_t cols, float eps, bool round,
                float* out, Stream stream);

/// In place, x [rows, heads, head_dim]: RMSNorm of each head with norm [head_dim] unless null, then rotation of pairs
/// (i, i + rotated/2) of its first `rotated` numbers by cosine, sine [rows, rotated/2]. rotated is even, 0 … head_dim.
Status turn_heads(float* x, const float* norm, const float* cosine, const float* sine, std::int64_t rows,
                  std::int64_t heads, std::int64_t head_dim, std::int64_t rotated, float eps, bool round,
                  Stream stream);

/// gate [size] = silu(gate) · up.
Status swiglu(float* gate, const float* up, std::int64_t size, bool round, Stream stream);

Status round_to_bf16(float* x, std::int64_t size, Stream stream);

}  // namespace natscope::kernels::cuda
