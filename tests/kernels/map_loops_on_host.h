// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>

#include "kernels/attention_statistics.h"
#include "kernels/attention_tile.h"

/// The loops of kernels/cuda's maps (map_loops.h) over plain arrays: the same cells, squares and masks as on a GPU.
namespace natscope::test {

kernels::Status map_loops_tile(const kernels::AttentionMapSource& source, TokenPos first_query, TokenPos first_key,
                               int zoom, kernels::View<float, 2> maximum, kernels::View<float, 2> mean,
                               kernels::View<float, 2> visible_share);

kernels::Status map_loops_statistics(const kernels::AttentionMapSource& source, TokenPos first_query,
                                     std::span<const std::int32_t> other_last_query,
                                     const kernels::RowStatisticsOut& out);

}  // namespace natscope::test
