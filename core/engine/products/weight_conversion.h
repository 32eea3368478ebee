// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/weights.h"

namespace natscope {

/// Elements first … first + out.size() - 1 of a stored tensor as f32: exact for f32, bf16 and f16.
void read_weights(const WeightView& view, std::int64_t first, std::span<float> out);

/// A whole stored vector as f32; empty when it is not present.
[[nodiscard]] std::vector<float> read_vector(const WeightView& view);

/// Asks the system to read a mapped tensor that is not in memory yet in large pages: read from front to back, small
/// ones cost about 15 % of the bandwidth in translations. A wish, not a promise.
void ask_for_large_pages(const WeightView& view);

/// Lets the system forget the mapped pages of a tensor that will not be read again soon; they come back when touched.
void release_mapped_pages(const WeightView& view);

}  // namespace natscope
