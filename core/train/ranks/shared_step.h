// SPDX-License-Identifier: GPL-3.0-or-later
/// How ranks share a step: its rows, and what it counts beside its gradient. Private to core/train.
#pragma once

#include "core/base/expected.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/roles/role_statistics.h"

namespace natscope::train {

/// Whether each rank can have as many rows as any other. Errors: usage.
[[nodiscard]] Expected<void> check_shared_batch(int batch, int ranks);

/// Adds up numbers and statistics over the ranks, in place. Both statistics have as many heads on every rank. Errors:
/// io_failure (a rank is gone).
[[nodiscard]] Expected<void> all_reduce(RankGroup& ranks, std::span<double> numbers, RoleStatistics& sampled,
                                        RoleStatistics& argmax);

}  // namespace natscope::train
