// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>

#include "ui/figure/figure_layout.h"
#include "ui/figure/map_raster.h"

namespace natscope::ui {

/// Draws a laid-out figure in points, on whatever the painter paints on. `raster` is null for a curve.
void paintFigure(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout,
                 const MapRaster& raster);

/// The figure's own, or what is shown and what was set by hand.
[[nodiscard]] QString shownTitle(const FigureData& figure, const FigureOptions& options);

/// Text with its anchor at a point: -1 left or top, 0 centred, 1 right or bottom of it.
void drawText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAcross,
              int alignDown);
void drawTurnedText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAlong);

/// What a figure's legend says: its entries, once the plot is laid out. figure_legends.cpp, and each kind's own file.
[[nodiscard]] std::vector<LegendEntry> legendOf(const FigureData& figure, const FigureOptions& options,
                                                const FigureLayout& layout);
[[nodiscard]] std::vector<LegendEntry> overviewLegend(const HeadOverview& maps, const FigureOptions& options,
                                                      const FigureLayout& layout);
[[nodiscard]] std::vector<LegendEntry> vocabularyLegend(const FigureTable& table, const FigureOptions& options);
[[nodiscard]] std::vector<LegendEntry> textLegend(const FigureData& figure, const FigureOptions& options);
[[nodiscard]] std::vector<LegendEntry> curveLegend(const FigureData& figure, const FigureOptions& options);
/// Points that the widest number beside a cache's curves takes.
[[nodiscard]] double curveLabelsWidth(const FigureData& figure, const FigureOptions& options);
/// "+" for the figure's own run alone, "−" for the compared one alone: not by colour only.
[[nodiscard]] QString heldSign(HeldBy by);
/// What pale stands for under a method without roles.
[[nodiscard]] QString droppedWords(const std::string& policy);
/// A coloured square with its letter, and words.
[[nodiscard]] LegendEntry swatchEntry(QRgb colour, const QString& letter, const QString& words, const FigureInk& ink);
/// Colours and what the ends and steps between them stand for.
void drawColourRamp(QPainter& painter, ColourMap colours, const ScaleRange& range, const ScaleOptions& scale,
                    const FigureInk& ink, const QRectF& bar);
/// The same of weights, named.
void drawColourBar(QPainter& painter, const FigureOptions& options, const ScaleRange& range, const FigureInk& ink,
                   const QRectF& bar);
/// What stands round the maps of an overview, once their raster is drawn.
void paintOverview(QPainter& painter, const HeadOverview& maps, const FigureInk& ink, const FigureLayout& layout);

/// Cells whose colours never mix, on whole pixels where there are some.
void drawRaster(QPainter& painter, const QRectF& plot, const QImage& image);
/// A line round them that covers none: a map's first column, the sink, may be thinner than it.
void drawFrame(QPainter& painter, const FigureInk& ink, const QRectF& plot);

/// Axes round a plot with the layout's labels, and what they are of.
void drawAxes(QPainter& painter, const FigureInk& ink, const FigureLayout& layout);
void drawAxisTitles(QPainter& painter, const FigureInk& ink, const FigureLayout& layout, const QString& across,
                    const QString& down);

/// The bars of a vocabulary.
void paintVocabulary(QPainter& painter, const FigureTable& table, const FigureOptions& options,
                     const FigureLayout& layout);
/// The numbers of a table of heads. head_matrices.cpp.
void paintHeadMatrices(QPainter& painter, const FigureTable& table, const FigureOptions& options,
                       const FigureLayout& layout);
[[nodiscard]] std::vector<LegendEntry> headMatricesLegend(const FigureTable& table, const FigureOptions& options);
/// Where the colours of each number end: range_entropy, …
[[nodiscard]] Metadata headMatricesMetadata(const FigureTable& table);
/// Errors: bad_range (no number is known, more than 1024 layers or heads).
[[nodiscard]] Expected<void> checkHeadMatrices(const FigureTable& table);
/// The tokens of a text.
void paintText(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout);
/// Where its losses' colours end: the fixed range, or what all runs or the comparison have.
[[nodiscard]] ScaleRange rangeOf(const LossText& text, const ScaleOptions& options);

/// The KV curve's axes and lines.
void paintCurve(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout);

}  // namespace natscope::ui
