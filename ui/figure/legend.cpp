// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/legend.h"

#include <algorithm>

#include "ui/figure/figure_painter.h"

namespace natscope::ui {
namespace {

constexpr int fontSize = 8;
constexpr double swatch = 8;
constexpr double wordsGap = 4;   // between a sample and its words
constexpr double entryGap = 14;  // between entries

double widthBeforeWords(const LegendEntry& entry) { return entry.sampleWidth > 0 ? entry.sampleWidth + wordsGap : 0; }

}  // namespace

QStringList brokenLines(const QString& text, const QFont& font, double width) {
  QStringList lines;
  for (const QString& word : text.split(u' ')) {
    const QString longer = lines.isEmpty() ? word : lines.back() + u' ' + word;
    if (lines.isEmpty() || textWidth(font, longer) > width)
      lines << word;
    else
      lines.back() = longer;
  }
  return lines;
}

Legend placeLegend(std::vector<LegendEntry> entries, double width, double pitch) {
  const QFont font = figureFont(fontSize);
  Legend legend;
  QPointF at(0, 0);
  for (LegendEntry& entry : entries) {
    const double before = widthBeforeWords(entry);
    const bool isFirst = at.x() <= 0;
    if (!isFirst && (entry.startsLine || at.x() + before + textWidth(font, entry.words) > width))
      at = {0, at.y() + pitch};
    QStringList lines = brokenLines(entry.words, font, width - before);
    double longest = 0;
    for (const QString& line : lines) longest = std::max(longest, textWidth(font, line));
    legend.width = std::max(legend.width, at.x() + before + longest);
    const auto more = static_cast<double>(lines.size() - 1);
    legend.entries.push_back({std::move(entry), at, std::move(lines)});
    legend.height = std::max(legend.height, at.y() + (more + 1) * pitch);
    at = more > 0 ? QPointF(0, at.y() + (more + 1) * pitch) : QPointF(at.x() + before + longest + entryGap, at.y());
  }
  return legend;
}

void paintLegend(QPainter& painter, const Legend& legend, QPointF at, double pitch, QRgb ink) {
  for (const Legend::Placed& placed : legend.entries) {
    const QPointF corner = at + placed.at;
    if (placed.entry.sample) placed.entry.sample(painter, corner);
    QPointF words = corner + QPointF(widthBeforeWords(placed.entry), swatch / 2);
    for (const QString& line : placed.lines) {
      drawText(painter, words, line, figureFont(fontSize), ink, -1, 0);
      words.ry() += pitch;
    }
  }
}

LegendEntry swatchEntry(QRgb colour, const QString& letter, const QString& words, const FigureInk& ink) {
  const auto draw = [colour, letter, ink](QPainter& painter, QPointF at) {
    const QRectF square(at, QSizeF(swatch, swatch));
    painter.setPen(QPen(QColor(ink.faint), 0.5));
    painter.setBrush(QColor(colour));
    painter.drawRect(square);
    if (!letter.isEmpty()) drawText(painter, square.center(), letter, figureFont(6, true), inkOn(colour), 0, 0);
  };
  return {swatch, draw, words};
}

}  // namespace natscope::ui
