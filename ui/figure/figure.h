// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QImage>
#include <QSizeF>
#include <QString>
#include <QStringList>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/base/expected.h"
#include "core/export/colour_map.h"
#include "core/export/figure_data.h"
#include "core/export/scale.h"
#include "ui/figure/figure_format.h"

/// Figures for papers: a head's attention or mask, the maps of all heads, a map of roles or of what two caches hold, a
/// coloured text, a KV curve, the tokens that took most of the cache, what heads keep or attend to as matrices. Drawn
/// with QPainter alone (Qt Gui, no widgets), so that the window and the command line make the same file from the same
/// numbers.
///
///   NATSCOPE_CHECK(ui::prepareFigures());  // once, where no QGuiApplication exists: prepare_figures.h
///   NATSCOPE_CHECK(ui::drawFigure(figure, {.dpi = 300}, "a.pdf"));  // the ending says the format
///
/// png   the picture at `dpi`, provenance in text chunks
/// svg   labels as <text>, the map one embedded PNG, provenance as JSON in <metadata>
/// pdf   labels as text, the map one lossless raster, provenance as JSON in the XMP metadata
///
/// A map's raster has one pixel a cell before it is scaled; scaling repeats pixels and never mixes them. Where a row of
/// tokens, or a map in a chosen width, has more cells than pixels, a pixel stands for several, and legend and
/// provenance say so: of attention it is the largest weight, of roles their colours' mean. The axes stay exact.
namespace natscope::ui {

inline constexpr double pointsAnInch = 72;
inline constexpr double pointsAMillimetre = pointsAnInch / 25.4;

inline constexpr double usualFontSize = 8;
inline constexpr double smallestFontSize = 4;
inline constexpr double largestFontSize = 24;

enum class AxisTexts : std::uint8_t {
  automatic,  ///< tokens where they fit, else positions
  tokens,     ///< the map grows until they fit
  positions,
};

struct FigureOptions {
  Theme theme = Theme::light;
  double dpi = 300;  ///< of png, 36 … 2400
  /// Of the whole figure, points, texts keeping their sizes; 0: as wide as its cells or a page's text.
  double width = 0;
  /// Of a head's map and of maps of tokens: every cell has so many pixels of a png of this dpi (in svg and pdf the same
  /// size), however wide that is; 0: as many as fit. Not together with `width`.
  int cellPixels = 0;
  ColourMap colours = ColourMap::viridis;
  ScaleOptions scale{};  ///< applied to attention here: hand in plain weights
  AxisTexts texts = AxisTexts::automatic;
  bool cacheAsShare = false;  ///< kv: in percent of what full attention holds, not in bytes or entries
  /// None: what is shown, for example "Attention, layer 3, head 2"; empty: no title.
  std::optional<QString> title{};
  /// Points of the axes' names; all other texts and lines keep their proportion to it, and the plot its size.
  double fontSize = usualFontSize;
  /// What the runs of a comparison are called, the figure's own first; of those left out or empty: their policies.
  QStringList names{};
};

/// Draws into memory. Any thread. Errors: bad_arrays (sizes that do not fit each other), bad_range (nothing to draw, or
/// more than 8192 × 8192 cells), usage (dpi, size of texts, a width without room for the figure's parts),
/// out_of_memory, internal.
[[nodiscard]] Expected<QByteArray> renderFigure(const FigureData& figure, FigureFormat format,
                                                const FigureOptions& options);

/// A figure on a screen, as it would be written.
struct FigurePreview {
  QImage image;
  QSizeF size;     ///< of the figure, points
  QString remark;  ///< remarkOnCells()
};

/// Draws what renderFigure() would, by the same code, into a picture that `room` pixels hold; cells that are smaller
/// than its pixels are mixed. Any thread. Errors: as renderFigure.
[[nodiscard]] Expected<FigurePreview> previewFigure(const FigureData& figure, FigureFormat format,
                                                    const FigureOptions& options, QSize room);

/// What a map's pixels are, where it has more cells than pixels; else nothing. Of a figure that can be drawn.
[[nodiscard]] QString remarkOnCells(const FigureData& figure, FigureFormat format, const FigureOptions& options);

/// Draws into a file, whole or not at all. Errors: as figureFormat, renderFigure and write_file_atomically.
[[nodiscard]] Expected<void> drawFigure(const FigureData& figure, const FigureOptions& options,
                                        const std::filesystem::path& path);

}  // namespace natscope::ui
