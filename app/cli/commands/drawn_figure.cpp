// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/drawn_figure.h"

#include <QString>
#include <cstdio>

#include "app/cli/terminal/note.h"
#include "ui/figure/chart.h"
#include "ui/figure/figure.h"
#include "ui/figure/prepare_figures.h"

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
  if (options.title) drawn.title = QString::fromStdString(*options.title);
  drawn.fontSize = options.font_size;
  for (const std::string& name : options.names) drawn.names << QString::fromStdString(name);
  NATSCOPE_CHECK(ui::drawFigure(figure, drawn, path));
  NATSCOPE_TRY(const auto format, ui::figureFormat(path));
  if (const QString remark = ui::remarkOnCells(figure, format, drawn); !remark.isEmpty())
    print_note(remark.toStdString() +
               (options.width > 0 ? "; --cell 1 in place of --width draws each" : "; --cell 1 draws each") +
               (format == ui::FigureFormat::png ? ", a higher --dpi more of them" : ""));
  return {};
}

Expected<void> draw_chart_file(const SeriesChart& chart, const DrawnFigureOptions& options,
                               const std::filesystem::path& path) {
  NATSCOPE_CHECK(prepare());
  SeriesChart titled = chart;
  titled.title = options.title.value_or(chart.title);
  const ui::ChartOptions drawn{options.dark ? Theme::dark : Theme::light, options.dpi, options.width,
                               options.font_size};
  return ui::drawChart(titled, drawn, path);
}

Expected<void> draw_grid_file(const GridChart& chart, const DrawnFigureOptions& options,
                              const std::filesystem::path& path) {
  NATSCOPE_CHECK(prepare());
  return ui::drawGrid(chart, options.dark ? Theme::dark : Theme::light, options.dpi, path);
}

bool figures_are_drawn() { return true; }

}  // namespace natscope
