// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"
#include "kernels/kv_cache.h"

namespace natscope {

/// Drops by a rule what goes after the token `now`, in all heads of a layer, once the token has its own weights
/// (set_self_scores), and adds it to `dropped`. Errors: out_of_memory, internal.
[[nodiscard]] Expected<void> drop_by_scores(kernels::KvCache& cache, LayerId layer, TokenPos now,
                                            const kernels::ScoreRule& rule, std::vector<EvictedEntry>& dropped);

/// Drops what went before and goes again, whatever rounding makes of the scores this time: of `entries`, which may be
/// of other layers, too, those of this one. Errors: out_of_memory, internal (one is not held).
[[nodiscard]] Expected<void> drop_known(kernels::KvCache& cache, LayerId layer, const kernels::ScoreRule& rule,
                                        std::span<const EvictedEntry> entries);

/// What goes behind a prompt under a rule of its end, of every KV head of a layer, ascending.
///   scores [kv_heads, now + 1] by position, as attention added them up; they are pooled here
///   layers  of the model
[[nodiscard]] std::vector<std::vector<TokenPos>> positions_that_go(kernels::View<float, 2> scores, TokenPos now,
                                                                   const kernels::ScoreRule& rule, LayerId layer,
                                                                   std::int32_t layers);

}  // namespace natscope
