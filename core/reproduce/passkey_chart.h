// SPDX-License-Identifier: GPL-3.0-or-later
/// Pass keys found by depth and length, as a grid for each thing that was asked.
#pragma once

#include <string>
#include <vector>

#include "core/export/grid_chart.h"
#include "core/reproduce/study_row.h"

namespace natscope::reproduce {

/// One model under one policy.
struct AskedCells {
  std::string name;
  std::vector<PasskeyCell> cells;  ///< as score_passkeys() gives them, of the same grid in all that stand together
};

/// Share of keys that were found. Where the first of them found none, full attention as a rule, the share of answers'
/// tokens that were the likeliest: they still say whether anything was learned.
[[nodiscard]] GridChart passkey_chart(const std::vector<AskedCells>& asked);

}  // namespace natscope::reproduce
