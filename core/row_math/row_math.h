// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/element_type.h"

/// The small loops between the matrix products, on one row of numbers. Plain C++ that the compiler vectorises, compiled
/// for several instruction sets and picked when the program starts.
namespace natscope::row_math {

/// About what one of these loops takes over `numbers`, for kernels::share_rows.
constexpr double loop_ns(std::int64_t numbers) { return 0.5 * static_cast<double>(numbers); }

/// out = x / sqrt(mean(x²) + eps) · weight. `out` may be `x`. Source: RMSNorm (arXiv 1910.07467), as transformers'
/// Llama.
void rms_norm(const float* x, const float* weight, std::int64_t size, float eps, float* out);

/// Rotates pairs (i, i + rotated/2) of one head's first `rotated` numbers in place; cosine, sine [rotated/2]. See
/// core/model/rope.h.
void rotate(float* head, const float* cosine, const float* sine, std::int64_t rotated);

/// out = silu(gate) · up. `out` may be `gate`.
void swiglu(const float* gate, const float* up, std::int64_t size, float* out);

/// x += y.
void add(float* x, const float* y, std::int64_t size);

/// Rounds to the nearest bf16, in place, kept as f32.
void round_to_bf16(float* x, std::int64_t size);
void convert(const float* x, std::int64_t size, kernels::Bf16* out);
void convert(const kernels::Bf16* x, std::int64_t size, float* out);
void convert(const kernels::F16* x, std::int64_t size, float* out);

[[nodiscard]] float maximum(const float* x, std::int64_t size);
/// maximum() of every `block` numbers, the last ones may be fewer: out [ceil(size / block)].
void block_maxima(const float* x, std::int64_t size, std::int64_t block, float* out);
[[nodiscard]] bool has_nan(const float* x, std::int64_t size);
/// Σ exp(x − shift), to f32 rounding of each term.
[[nodiscard]] double exp_sum(const float* x, std::int64_t size, float shift);
/// Σ exp((x − shift) · scale) of terms that are 1 at most, to 1e-12 of the sum where one of them is 1. scale > 0.
[[nodiscard]] double exp_sum(const float* x, std::int64_t size, double shift, double scale);

}  // namespace natscope::row_math
