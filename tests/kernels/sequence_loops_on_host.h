// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/kernels/attention_case.h"
#include "tests/kernels/sequence_backend.h"

/// The loops of kernels/cuda's decode, prefill and cache (decode_loops.h, prefill_loops.h, kv_append.h, kv_evict.h)
/// over plain arrays: the same pages, shares, tiles, masks, stages and merges as on a GPU, with its matrix products
/// written out.
namespace natscope::test {

AttentionResult<float> sequence_loops_decode(const AttentionCase& c, std::int32_t page_entries);
ScoreRuleRun sequence_loops_score_rule(const AttentionCase& c, const kernels::ScoreRule& rule,
                                       std::int32_t page_entries);
AttentionResult<float> sequence_loops_prefill(const AttentionCase& c, std::int64_t chunk, std::int32_t page_entries);

}  // namespace natscope::test
