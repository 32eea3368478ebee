// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/drawn_figure.h"

#include <QString>
#include <cstdio>

#include "ui/figure/chart.h"
#include "ui/figure/figure.h"

namespace natscope {
namespace {

/// Qt remarks on every machine without a login session that it has no runtime folder. Figures need none, and stderr is
/// for what concerns them.
void pass_on_message(QtMsgType type, const QMessageLogContext& context, const QString& text) {
  if (text.startsWith(QLatin1String("QStandardPaths: "))) return;
  std::fprintf(stderr, "%s\n", qUtf8Printable(qFormatLogMessage(type, context, text)));
}

Expected<void> prepare() {
  qInstallMessageHandler(pass_on_message);
  return ui::prepareFigures();
}

}  // namespace

Expected<void> draw_figure_file(const FigureData& figure, const DrawnFigureOptions& options,
                                const std::filesystem::path& path) {
  NATSCOPE_CHECK(prepare());
  ui::FigureOptions drawn;
  drawn.theme = options.dark ? Theme::dark : Theme::light;
  drawn.dpi = options.dpi;
  drawn.width = options.width;
  drawn.cellPixels = options.cell_pixels;
  drawn.scale = options.scale;
  drawn.colours = options.colours;
  drawn.cacheAsShare = options.cache_as_share;
  if (options.axes == "tokens") drawn.texts = ui::AxisTexts::tokens;
  if (options.axes == "positions") drawn.texts = ui::AxisTexts::positions;
  return ui::drawFigure(figure, drawn, path);
}

Expected<void> draw_chart_file(const SeriesChart& chart, const DrawnFigureOptions& options,
                               const std::filesystem::path& path) {
  NATSCOPE_CHECK(prepare());
  return ui::drawChart(chart, options.dark ? Theme::dark : Theme::light, options.dpi, path, options.width);
}

Expected<void> draw_grid_file(const GridChart& chart, const DrawnFigureOptions& options,
                              const std::filesystem::path& path) {
  NATSCOPE_CHECK(prepare());
  return ui::drawGrid(chart, options.dark ? Theme::dark : Theme::light, options.dpi, path);
}

bool figures_are_drawn() { return true; }

}  // namespace natscope
