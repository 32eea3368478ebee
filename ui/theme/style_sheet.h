// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "ui/theme/theme.h"

class QToolButton;
class QWidget;

namespace natscope::ui {

/// The style sheet of standard widgets in these colours.
[[nodiscard]] QString styleSheet(const ThemeColours& colours);

/// Looks that it has for some of them; it knows those by their object names, which are theirs from then on.
void drawAsPanel(QWidget& widget);        ///< on the ground of a panel
void drawWithFrame(QToolButton& button);  ///< a button among fields, where one could take it for a label

}  // namespace natscope::ui
