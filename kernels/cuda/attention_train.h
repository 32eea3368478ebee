// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention_train.h"
#include "kernels/cuda/device.h"

/// The training attention on a GPU: kernels/attention_train.h with views into device memory, memory of the caller's for
/// scratch, and a stream. Nothing of size T × T exists. Equal bits on every run: no sum depends on the order in which
/// blocks run.
///
/// Roles are on the device, so a role over 2 cannot be refused here; it counts as sliding.
namespace natscope::kernels::cuda {

/// Whether the current device takes forward and backward of such heads, by its shared memory: 227 KiB hold all (compute
/// capability 9.0), 99 none over 128 (8.6, 8.9, 12.0). Errors: unsupported_shape.
[[nodiscard]] Status attention_train_fits(std::int64_t head_dim, ElementType dtype);

/// Scratch that forward (or backward) takes, in device memory, aligned to 256 bytes; it may be reused when the stream
/// has passed.
[[nodiscard]] std::int64_t attention_train_scratch_bytes(const AttentionTrainInputs& inputs, bool backward);

/// Errors: as kernels/attention_train.h; shape_mismatch (scratch too small), unsupported_shape (head_dim over what this
/// GPU's shared memory takes: 256 on A100 and H100; batch or heads over 65535).
Status attention_train_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse,
                               void* scratch, std::int64_t scratch_bytes, Stream stream);

Status attention_train_backward(const AttentionTrainInputs& inputs, ConstView<float, 4> out, ConstView<float, 3> lse,
                                ConstView<float, 4> d_out, double sparse_regularized_value, View<float, 4> dq,
                                View<float, 4> dk, View<float, 4> dv, View<float, 4> d_roles, void* scratch,
                                std::int64_t scratch_bytes, Stream stream);

}  // namespace natscope::kernels::cuda
