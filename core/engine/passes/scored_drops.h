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
/// (set_self_scores). Scores of a prompt's end are pooled first. `known`: entries, of this layer and others, that went
/// before and go again, whatever rounding made of the scores. What went is added to `dropped`, which may be null.
/// Errors: out_of_memory, internal.
[[nodiscard]] Expected<void> drop_by_scores(kernels::KvCache& cache, LayerId layer, TokenPos now,
                                            const kernels::ScoreRule& rule, std::span<const EvictedEntry> known,
                                            std::vector<EvictedEntry>* dropped);

/// The same of scores [now + 1] that are known by position, of one head behind a prompt: what goes, ascending. Pools
/// them.
[[nodiscard]] std::vector<std::int32_t> positions_that_go(std::span<float> scores, TokenPos now,
                                                          const kernels::ScoreRule& rule);

}  // namespace natscope
