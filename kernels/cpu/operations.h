// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <stop_token>

#include "kernels/attention_statistics.h"
#include "kernels/attention_tile.h"
#include "kernels/kv_cache.h"
#include "kernels/linear.h"

/// The operations with Google Highway (AVX2, AVX-512, bf16 where the processor has it) and shared_work.h.
/// Contracts stand in the public headers; launch/ has checked the arguments.
namespace natscope::kernels::cpu {

Status attention_decode(ConstView<float, 2> queries, ConstView<float, 2> self_key, ConstView<float, 2> self_value,
                        const KvCache& cache, LayerId layer, View<float, 2> out, std::span<float> lse,
                        std::span<float> self_scores);

Status attention_prefill(ConstView<float, 3> queries, ConstView<float, 3> keys, ConstView<float, 3> values,
                         ConstView<Role, 2> roles, const KvCache& cache, LayerId layer, TokenPos first,
                         View<float, 3> out, View<float, 2> lse, const std::stop_token& stop);

Status attention_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                      View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share);

Status row_statistics(const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const RowStatisticsOut& out);

Status linear_row(std::span<const float> x, std::span<const LinearRow> products);

}  // namespace natscope::kernels::cpu
