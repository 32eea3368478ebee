// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/kv_cache.h"

namespace natscope::kernels::cuda {

/// Scratch of a decode, in device memory, aligned to 256 bytes. Depends on the GPU, the shapes and the rule only, not
/// on how much the cache holds.
[[nodiscard]] std::int64_t attention_decode_scratch_bytes(std::int64_t heads, const DeviceKvCache& cache);

/// kernels/attention_decode.h with views into device memory: one new token per query head over the entries that the
/// cache holds and the token itself.
///
///   queries [heads, head_dim] f32; self_key, self_value [kv_heads, head_dim] f32; out [heads, head_dim] f32; lse
///   [heads] f32; self_scores [kv_heads] f32 where scores are to grow: always under a rule that drops after every token
///
/// All heads' keys are cut into equal shares, one a warp, whatever head they belong to; shares are planned on the
/// device from the lengths there, so a recorded graph stays right while the cache grows. The query heads of a group are
/// the rows of one tile: every byte of the cache is read once (for groups up to 16). Two kernels; equal bits on every
/// run on the same GPU. Products of a bf16 cache are of bf16 operands, sums are f32. `round` rounds `out` to bf16.
///
/// Where scores are kept, q · k of every entry goes to scratch on the way, and a third kernel adds up the weights that
/// follow: no key is read twice, and no sum depends on who comes first.
///
/// Errors: shape_mismatch (scratch too small as well, self_scores that does not fit the cache), invalid_argument,
/// unsupported_shape.
Status attention_decode(ConstView<float, 2> queries, ConstView<float, 2> self_key, ConstView<float, 2> self_value,
                        const DeviceKvCache& cache, LayerId layer, View<float, 2> out, std::span<float> lse,
                        std::span<float> self_scores, void* scratch, std::int64_t scratch_bytes, Stream stream,
                        bool round = false);

}  // namespace natscope::kernels::cuda
