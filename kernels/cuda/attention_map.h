// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/attention_statistics.h"
#include "kernels/attention_tile.h"
#include "kernels/cuda/device.h"

/// Maps computed from a store in device memory: kernels/attention_tile.h and attention_statistics.h, where every
/// pointer and span is the device's, outputs too. Arithmetic is f32 whatever the store holds; equal bits on every run.
namespace natscope::kernels::cuda {

Status attention_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                      View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share, Stream stream);

Status row_statistics(const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const RowStatisticsOut& out, Stream stream);

}  // namespace natscope::kernels::cuda
