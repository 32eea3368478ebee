// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QRect>
#include <QSizeF>
#include <QString>
#include <optional>

namespace natscope::ui {

/// A dock as it lies in the window, in pixels.
struct DockBox {
  QString name;
  QRect rect;
  QSize least{0, 0};     ///< it is never given less
  QSizeF stretch{1, 1};  ///< how eagerly it takes new room; 0: it also gives room up last
};

/// How docks divide the window, in words: "(prompt|(text/roles))/cache" is a row over a dock. Equal words, equal
/// division. None when they cannot have come from cutting the window again and again.
[[nodiscard]] std::optional<QString> divisionOf(const QList<DockBox>& docks);

/// The sizes to give the docks of `shown`, in its order, so that they come as near to those of `wanted` as the room
/// allows. Separators, tabs and the room round the docks are as in `shown`. None when the two are not divided in the
/// same way.
///
/// Room that is more than `wanted` had goes to each part in proportion to its size times its stretch. Room that is
/// missing is taken in proportion to size; from docks of stretch 0 only once all others are at their least. The result
/// depends on `wanted` and the room alone: the same room gives the same sizes again.
[[nodiscard]] std::optional<QList<QSize>> fittedSizes(const QList<DockBox>& wanted, const QList<DockBox>& shown);

}  // namespace natscope::ui
