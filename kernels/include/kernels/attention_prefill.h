// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stop_token>

#include "kernels/kv_cache.h"

namespace natscope::kernels {

/// Softmax attention of a chunk of new tokens over what the cache still holds and the chunk itself, under the roles'
/// mask.
///
///   queries       [heads, C, head_dim] f32, rotated to first … first + C - 1
///   keys, values  [kv_heads, C, head_dim] f32 of the chunk, not yet in the cache
///   roles         [kv_heads, C] of the chunk
///   out           [heads, C, head_dim] f32; must not overlap queries
///   lse           [heads, C] f32, natural log
///
/// The cache is as it was after token first - 1; its own window applies. Any chunking gives the same result to
/// rounding. Cost: work follows the visible pairs, not C × T: kept globals and locals are dense in the pages, sliding
/// keys are a band. Of a long text that is seconds: where `stop` asks for an end, it comes when every thread is through
/// with the queries in hand, 512 at most (cpu). The status is ok then too, and out and lse hold no result: who may ask
/// looks at the token after it. Errors: shape_mismatch, invalid_argument (a role over 2). Source: the rules, sections 4
/// and 5.
Status attention_prefill(Backend backend, ConstView<float, 3> queries, ConstView<float, 3> keys,
                         ConstView<float, 3> values, ConstView<Role, 2> roles, const KvCache& cache, LayerId layer,
                         TokenPos first, View<float, 3> out, View<float, 2> lse, const std::stop_token& stop = {});

}  // namespace natscope::kernels
