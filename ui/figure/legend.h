// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>
#include <QPointF>
#include <QString>
#include <QStringList>
#include <functional>
#include <vector>

#include "ui/figure/figure_ink.h"

/// A legend's entries one after another, in as many lines as the room below a plot asks for.
namespace natscope::ui {

/// A sample of what is drawn and what it means, or words alone.
struct LegendEntry {
  double sampleWidth = 0;                               ///< points; 0: words alone
  std::function<void(QPainter&, QPointF at)> sample{};  ///< draws it, `at` its top left corner
  QString words;
  bool startsLine = false;
};

struct Legend {
  struct Placed {
    LegendEntry entry;
    QPointF at;         ///< from the legend's top left corner
    QStringList lines;  ///< its words
  };
  std::vector<Placed> entries;
  double width = 0;
  double height = 0;
};

/// A text in lines of at most `width` points, broken at spaces; a word that is longer stands in a line of its own.
[[nodiscard]] QStringList brokenLines(const QString& text, const QFont& font, double width);

/// `pitch`: from line to line.
[[nodiscard]] Legend placeLegend(std::vector<LegendEntry> entries, double width, double pitch);
void paintLegend(QPainter& painter, const Legend& legend, QPointF at, double pitch, QRgb ink);

/// A coloured square with its letter, and words.
[[nodiscard]] LegendEntry swatchEntry(QRgb colour, const QString& letter, const QString& words, const FigureInk& ink);

}  // namespace natscope::ui
