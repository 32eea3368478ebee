// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <optional>

#include "core/export/figure_request.h"
#include "core/export/scale.h"
#include "ui/figure/figure.h"

namespace natscope::ui {

/// What the window knows about the map on screen when an export is asked for.
struct ShownMap {
  MapId map;
  PositionRange queries;  ///< in view
  PositionRange keys;
  std::int64_t tokens = 0;
  ScaleOptions scale;
  std::optional<FixedRange> range;  ///< that its colours have on screen, once it is there
  ColourMap colours = ColourMap::viridis;
  bool isCacheShare = false;  ///< the chart of the cache is in percent
};

/// An entry of the list of figures.
struct ExportChoice {
  ExportChoice(FigureKind of, TextColours by = TextColours::roles, bool besideKept = false)
      : kind(of), text(by), isCompared(besideKept) {}
  [[nodiscard]] static ExportChoice vocabularyOfOneHead() {
    ExportChoice choice(FigureKind::vocabulary);
    choice.isOfOneHead = true;
    return choice;
  }

  FigureKind kind;
  TextColours text;          ///< of a text
  bool isOfOneHead = false;  ///< of a vocabulary
  bool isCompared;           ///< with the kept run: in an entry of its own, where that makes another figure

  friend bool operator==(const ExportChoice&, const ExportChoice&) = default;
};

/// Whether a file of this ending is a picture.
[[nodiscard]] bool isDrawn(const QString& ending);

/// What a file of this ending holds, in one line.
[[nodiscard]] QString contentsOf(const ExportChoice& choice, const QString& ending);

}  // namespace natscope::ui
