// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/kv_cache.h"

namespace natscope::kernels::cuda {

/// Scratch of a prefill of `chunk` tokens, in device memory, aligned to 256 bytes. It does not grow with what the cache
/// holds.
[[nodiscard]] std::int64_t attention_prefill_scratch_bytes(std::int64_t heads, std::int64_t chunk,
                                                           const DeviceKvCache& cache);

/// Whether a prefill of such heads fits the current device's shared memory, asked before there is one: what 227 KiB
/// take (compute capability 9.0), 99 need not (8.6, 8.9, 12.0: no head_dim over 128 in f32). Errors: unsupported_shape.
[[nodiscard]] Status attention_prefill_fits(std::int64_t head_dim, ElementType dtype);

/// kernels/attention_prefill.h with views into device memory: a chunk of C new tokens over what the cache still holds
/// and the chunk itself, under the roles' mask.
///
///   queries [heads, C, head_dim] f32; keys, values [kv_heads, C, head_dim] f32; roles [kv_heads, C]
///   out [heads, C, head_dim] f32; lse [heads, C] f32
///
/// Kept globals and locals are read where they lie, dense in their pages; the chunk's keys are ordered by role first,
/// so that every tile is dense in visible keys. One online softmax runs over all of them. Equal bits on every run.
/// Products of a bf16 cache are of bf16 operands, sums are f32. A role over 2 counts as sliding.
///
/// `first` has to be the position that the cache expects next. The chunk is appended afterwards, by the caller.
///
/// Errors: shape_mismatch (scratch too small as well), invalid_argument (a cache with scores too), unsupported_shape
/// (head_dim over what this GPU's shared memory takes, heads over 65535).
Status attention_prefill(ConstView<float, 3> queries, ConstView<float, 3> keys, ConstView<float, 3> values,
                         ConstView<Role, 2> roles, const DeviceKvCache& cache, LayerId layer, TokenPos first,
                         View<float, 3> out, View<float, 2> lse, void* scratch, std::int64_t scratch_bytes,
                         Stream stream);

}  // namespace natscope::kernels::cuda
