// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>

#include "core/export/grid_chart.h"
#include "core/export/series_chart.h"
#include "ui/figure/figure.h"

/// Charts of studies for papers: series of means with the spread of what they are means of. Every series has a mark of
/// its own, so that the picture is read without colour, too.
namespace natscope::ui {

struct ChartOptions {
  Theme theme = Theme::light;
  double dpi = 300;                 ///< of png
  double width = 0;                 ///< of the whole, points; 0: as wide as a page
  double fontSize = usualFontSize;  ///< as FigureOptions::fontSize
};

/// Any thread, after prepareFigures(). Errors: bad_range (no points, or none that an axis can hold), usage (a width
/// without room for the texts, and as checkFontSize), others as encodePicture.
[[nodiscard]] Expected<QByteArray> renderChart(const SeriesChart& chart, FigureFormat format,
                                               const ChartOptions& options = {});

/// Draws into a file, whole or not at all; the ending says the format. Errors: as figureFormat, renderChart and
/// write_file_atomically.
[[nodiscard]] Expected<void> drawChart(const SeriesChart& chart, const ChartOptions& options,
                                       const std::filesystem::path& path);

/// The same for grids; a cell says its share in percent. Errors: bad_arrays (a panel's size), bad_range (no panel).
[[nodiscard]] Expected<QByteArray> renderGrid(const GridChart& chart, FigureFormat format, Theme theme, double dpi);
[[nodiscard]] Expected<void> drawGrid(const GridChart& chart, Theme theme, double dpi,
                                      const std::filesystem::path& path);

}  // namespace natscope::ui
