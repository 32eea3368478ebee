// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/kv_cache.h"

namespace natscope::kernels {

/// Softmax attention of one new token per query head over the entries a cache holds and the token itself.
///
///   queries   [heads, head_dim] f32, rotated to `position`
///   self_key, self_value  [kv_heads, head_dim] f32: the new token's own, not yet in the cache (a token always sees
///             itself, and may be gone right after); rounded to the cache's dtype by the caller
///   out       [heads, head_dim] f32; must not overlap queries
///   lse       [heads] f32: natural log of the sum of exp(q·k/√head_dim) over what was seen
///
/// The cache is as it was after the token before (KvCache's invariant), so all it holds is visible. Where
/// self_scores [kv_heads] is given, each entry's score grows, if the cache keeps scores, by the sum over the g query
/// heads of its attention weight, and self_scores receives the new token's own; empty: scores stay as they are.
///
/// Cost: every held key and value is read once, the g heads of a group together. Errors: shape_mismatch.
/// Source: the rules, sections 4 and 5; online softmax as in FlashAttention (arXiv 2205.14135).
Status attention_decode(Backend backend, ConstView<float, 2> queries, ConstView<float, 2> self_key,
                        ConstView<float, 2> self_value, const KvCache& cache, LayerId layer, View<float, 2> out,
                        std::span<float> lse, std::span<float> self_scores);

}  // namespace natscope::kernels
