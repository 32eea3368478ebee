// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QString>
#include <cstdint>
#include <filesystem>

#include "core/base/expected.h"
#include "core/export/colour_map.h"
#include "core/export/figure_data.h"
#include "core/export/scale.h"

/// Figures for papers: a head's attention or mask, the maps of all heads, a map of roles or of what two caches hold, a
/// coloured text, a KV curve, the tokens that took most of the cache, what heads keep or attend to as matrices. Drawn
/// with QPainter alone (Qt Gui, no widgets), so that the window and the command line make the same file from the same
/// numbers.
///
///   NATSCOPE_CHECK(ui::prepareFigures());                          // once, where no QGuiApplication exists
///   NATSCOPE_CHECK(ui::drawFigure(figure, {.dpi = 300}, "attention.pdf"));  // the ending says the format
///
/// png   the picture at `dpi`, provenance in text chunks
/// svg   labels as <text>, the map one embedded PNG, provenance as JSON in <metadata>
/// pdf   labels as text, the map one lossless raster, provenance as JSON in the XMP metadata
///
/// A map's raster has one pixel a cell before it is scaled; scaling repeats pixels and never mixes them. Where a row of
/// tokens, or a map in a chosen width, has more cells than pixels, a pixel stands for several, and legend and
/// provenance say so: of attention it is the largest weight, of roles their colours' mean. The axes stay exact.
namespace natscope::ui {

inline constexpr double pointsAMillimetre = 72 / 25.4;

enum class FigureFormat : std::uint8_t { png, svg, pdf };

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
  QString title{};            ///< empty: what is shown, for example "Attention, layer 3, head 2"
};

/// The format that a path's ending asks for, letter case ignored. Errors: usage (another ending).
[[nodiscard]] Expected<FigureFormat> figureFormat(const std::filesystem::path& path);

/// Makes fonts available in a program without a window: creates a QGuiApplication on the offscreen platform unless one
/// exists, and keeps numbers in the C locale. Main thread, before the first figure. Errors: internal (no fonts).
[[nodiscard]] Expected<void> prepareFigures();

/// Draws into memory. Any thread. Errors: bad_arrays (sizes that do not fit each other), bad_range (nothing to draw, or
/// more than 8192 × 8192 cells), usage (dpi, a width without room for the figure's parts), out_of_memory, internal.
[[nodiscard]] Expected<QByteArray> renderFigure(const FigureData& figure, FigureFormat format,
                                                const FigureOptions& options);

/// Draws into a file, whole or not at all. Errors: as figureFormat, renderFigure and write_file_atomically.
[[nodiscard]] Expected<void> drawFigure(const FigureData& figure, const FigureOptions& options,
                                        const std::filesystem::path& path);

}  // namespace natscope::ui
