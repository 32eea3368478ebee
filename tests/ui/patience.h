// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope::ui {

/// How many milliseconds a test waits for what must come: it ends as soon as it does, so a slow machine may take long.
inline constexpr int patience = 60'000;

}  // namespace natscope::ui
