// SPDX-License-Identifier: GPL-3.0-or-later
/// The tokens of the vocabulary that took most of the cache, a bar each: as long as their share of it, in parts by
/// role.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/cache/forced_role.h"
#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/token_label.h"

namespace natscope::ui {
namespace {

// Points.
constexpr double rowHeight = 11;
constexpr double barHeight = 8;
constexpr double widestPlot = 300;
constexpr double timesRoom = 34;  // right of the longest bar, for how often its token occurs
constexpr double letterRoom = 8;  // of a part that has its role's letter in it
constexpr int wantedTicks = 5;
constexpr int longestToken = 18;

constexpr std::array<std::pair<Role, const char*>, role_count> parts{
    {{Role::global, "global_cache_share"}, {Role::local, "local_cache_share"}, {Role::sliding, "sliding_cache_share"}}};

std::size_t barsOf(const FigureTable& table) { return std::min(table.rows(), mostVocabularyBars); }

/// 0 where the table does not say it.
double numberAt(const FigureTable& table, std::size_t row, const char* key) {
  const std::size_t column = table.column_at(key);
  const double* const number = column < table.columns.size() ? table.at(row, column).number() : nullptr;
  return number != nullptr ? *number : 0;
}

QString tokenAt(const FigureTable& table, std::size_t row) {
  const std::size_t column = table.column_at("text");
  const std::string* const text = column < table.columns.size() ? table.at(row, column).text() : nullptr;
  return tokenLabel(text != nullptr ? QString::fromStdString(*text) : QString(), longestToken);
}

/// Without roles a bar has one colour.
bool hasRoles(const FigureTable& table) {
  const std::size_t column = table.column_at(parts[0].second);
  return table.rows() > 0 && column < table.columns.size() && table.at(0, column).number() != nullptr;
}

}  // namespace

FigureLayout layOutVocabulary(const FigureTable& table, const FigureOptions& options, double pixelsPerPoint) {
  AxisLabels down;
  double largest = 0;  // percent
  for (std::size_t row = 0; row < barsOf(table); ++row) {
    down.labels.push_back({static_cast<double>(row) + 0.5, tokenAt(table, row)});
    down.longest = std::max(down.longest, textWidth(figureFont(down.fontSize), down.labels.back().text));
    largest = std::max(largest, 100 * numberAt(table, row, "cache_share"));
  }
  const double width = plotWidth(options, widestPlot, leftOfPlot(down, pixelsPerPoint), rightOfPlot(false));
  AxisLabels across;
  for (const double tick : valueTicks(largest, wantedTicks)) {
    if (tick <= largest) across.labels.push_back({tick, QString::number(tick, 'g', 4)});
  }
  const double height = std::max(1.0, static_cast<double>(barsOf(table))) * rowHeight;
  FigureLayout layout = aroundPlot(QSizeF(width, height), std::move(across), std::move(down), false, pixelsPerPoint);
  layout.cell = QSizeF(std::max(1.0, width - timesRoom) / std::max(largest, 1e-9), rowHeight);
  return layout;
}

void paintVocabulary(QPainter& painter, const FigureTable& table, const FigureOptions& options,
                     const FigureLayout& layout) {
  const FigureInk ink = inkOf(options.theme);
  for (std::size_t row = 0; row < barsOf(table); ++row) {
    const double middle = layout.plot.top() + (static_cast<double>(row) + 0.5) * layout.cell.height();
    double x = layout.plot.left();
    const auto addPart = [&](double share, QRgb colour, const QString& letter) {
      const QRectF part(x, middle - barHeight / 2, 100 * share * layout.cell.width(), barHeight);
      painter.fillRect(part, QColor(colour));
      if (part.width() >= letterRoom) drawText(painter, part.center(), letter, figureFont(5), inkOn(colour), 0, 0);
      x = part.right();
    };
    if (hasRoles(table)) {
      for (const auto& [role, key] : parts)
        addPart(numberAt(table, row, key), toQRgb(role_colour(role, options.theme)),
                QString(QLatin1Char(role_letter(role))));
    } else {
      addPart(numberAt(table, row, "cache_share"), toQRgb(held_colour(options.theme, false)), {});
    }
    const auto times = static_cast<qlonglong>(numberAt(table, row, "occurrences"));
    drawText(painter, {x + 3, middle}, QStringLiteral("%1 ×").arg(times), figureFont(6), ink.text, -1, 0);
  }
  drawAxisTitles(painter, ink, layout, QStringLiteral("share of the cache, %"), QStringLiteral("token"));
  drawAxes(painter, ink, layout);
}

std::vector<LegendEntry> vocabularyLegend(const FigureTable& table, const FigureOptions& options) {
  const FigureInk ink = inkOf(options.theme);
  std::vector<LegendEntry> entries;
  for (const auto& [role, key] : parts) {
    if (!hasRoles(table)) break;
    entries.push_back(swatchEntry(toQRgb(role_colour(role, options.theme)), QString(QLatin1Char(role_letter(role))),
                                  QStringLiteral("as %1").arg(QLatin1String(role_name(role))), ink));
  }
  entries.push_back({0, {}, QStringLiteral("of the entries held after each token, all together"), true});
  QString times = QStringLiteral("n ×: how often the token occurs");
  if (table.rows() > barsOf(table))
    times += QStringLiteral("; the first %1 of %2 tokens").arg(barsOf(table)).arg(table.rows());
  entries.push_back({0, {}, times, true});
  return entries;
}

}  // namespace natscope::ui
