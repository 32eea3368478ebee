// SPDX-License-Identifier: GPL-3.0-or-later
/// What a step counts beside its gradient, added up over the ranks that shared it. Private to core/train.
#pragma once

#include "core/base/expected.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/roles/role_statistics.h"

namespace natscope::train {

/// Both statistics have as many heads on every rank. Errors: io_failure (a rank is gone).
[[nodiscard]] Expected<void> sum_over(RankGroup& ranks, std::span<double> numbers, RoleStatistics& sampled,
                                      RoleStatistics& argmax);

}  // namespace natscope::train
