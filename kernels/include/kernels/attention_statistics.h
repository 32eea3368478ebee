// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "kernels/attention_tile.h"

namespace natscope::kernels {

/// Entropy of each query's attention, in nats, and the weight it puts on position 0 (the sink) and on itself.
///   entropy, sink_weight, self_weight  [count] f32 for queries first_query … first_query + count - 1; any may be empty
/// Cost: visible pairs of those rows. Errors: shape_mismatch, invalid_argument.
Status row_statistics(Backend backend, const AttentionMapSource& source, TokenPos first_query, std::span<float> entropy,
                      std::span<float> sink_weight, std::span<float> self_weight);

/// How many tokens have each role: counts[G, L, S] over roles [T].
[[nodiscard]] std::array<std::int64_t, role_count> role_counts(std::span<const Role> roles);

}  // namespace natscope::kernels
