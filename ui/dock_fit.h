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

/// The sizes that docks get which had those of `wanted` and now lie as in `shown`, in the order of `shown`. The room
/// between them (separators, tabs) and round them is that of `shown`. None when both are not divided in the same way.
///
/// What the room gained since is shared by each part's size times its stretch, what it lost by size; only when nobody
/// else can give do those of stretch 0. It depends on `wanted` and the room alone: when that is as before, so are they.
[[nodiscard]] std::optional<QList<QSize>> fittedSizes(const QList<DockBox>& wanted, const QList<DockBox>& shown);

}  // namespace natscope::ui
