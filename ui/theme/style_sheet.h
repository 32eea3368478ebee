// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "ui/theme/theme.h"

namespace natscope::ui {

/// The style sheet of standard widgets in these colours.
[[nodiscard]] QString styleSheet(const ThemeColours& colours);

}  // namespace natscope::ui
