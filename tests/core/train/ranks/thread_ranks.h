// SPDX-License-Identifier: GPL-3.0-or-later
/// Ranks that are threads of this process.
///
///     test::on_ranks(2, [](RankGroup& ranks) { … every rank's part … });
#pragma once

#include <functional>

#include "core/train/ranks/rank_group.h"

namespace natscope::test {

/// Returns when all of them have. Every rank must make all calls of its group that the others make.
void on_ranks(int size, const std::function<void(train::RankGroup&)>& work);

}  // namespace natscope::test
