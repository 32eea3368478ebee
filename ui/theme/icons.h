// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QIcon>
#include <QString>

class QAbstractButton;

namespace natscope::ui {

/// An icon of resources/icons in the theme's colours, sharp at any size. Names: "generate", "stop", "step", …
/// `onAccent`: for a button that is filled with the accent colour.
[[nodiscard]] QIcon themedIcon(const QString& name, bool onAccent = false);

/// The button has this icon from now on, in the colours of whichever theme there is.
void showThemedIcon(QAbstractButton& button, const QString& name);

/// The program's own icon.
[[nodiscard]] QIcon programIcon();

}  // namespace natscope::ui
