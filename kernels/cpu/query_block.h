// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace natscope::kernels::cpu {

/// Queries that are worked on together: two of the widest vectors.
inline constexpr std::int64_t query_block = 32;

/// Keys whose scores of such a block are held at once.
inline constexpr std::int64_t key_block = 64;

}  // namespace natscope::kernels::cpu
