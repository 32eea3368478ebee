// SPDX-License-Identifier: GPL-3.0-or-later
/// Products of bf16 matrices on a CPU, as fast as the processor lets them be. Private to core/train.
#pragma once

#include <ATen/core/Tensor.h>

namespace natscope::train {

/// out [M, N] = a [M, K] · b [K, N], all bf16 with any strides; sums in f32, rounded once.
///
/// LibTorch's own product where it has vector instructions for it; elsewhere (AVX2) that goes element by element, at a
/// tenth of f32's speed, and multiply_widened() does it.
void multiply_bf16(at::Tensor& out, const at::Tensor& a, const at::Tensor& b);

/// The same by f32 products of widened blocks, of 3 MiB at most.
void multiply_widened(at::Tensor& out, const at::Tensor& a, const at::Tensor& b);

}  // namespace natscope::train
