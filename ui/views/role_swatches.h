// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>

#include "ui/theme/theme.h"

namespace natscope::ui {

/// The three roles' colours with their letters and names in one line of 18 pixels; with `faded`, also what pale means,
/// no further than `end`. Returns where the line ends.
double drawRoleSwatches(QPainter& painter, QPointF at, bool faded, double end);

/// The same for a method without roles: held, dropped, and what it is called, no further than `end`.
double drawHeldSwatches(QPainter& painter, QPointF at, double end, const QString& method);
/// What a token is filled with where there are no roles.
[[nodiscard]] QColor heldFill(Theme theme, bool isDropped);

/// A rounded square with the role's letter in it.
void drawRoleSign(QPainter& painter, const QRectF& square, Role role, bool faded);

}  // namespace natscope::ui
