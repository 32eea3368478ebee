// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/expected.h"

namespace natscope::ui {

/// Makes fonts available in a program without a window: creates a QGuiApplication on the offscreen platform unless one
/// exists, and keeps numbers in the C locale. Main thread, before the first figure. Errors: internal (no fonts).
[[nodiscard]] Expected<void> prepareFigures();

}  // namespace natscope::ui
