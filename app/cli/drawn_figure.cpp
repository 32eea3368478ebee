// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/drawn_figure.h"

#include <QString>
#include <cstdio>

#include "ui/figure/figure.h"

namespace natscope {
namespace {

/// Qt remarks on every machine without a login session that it has no runtime folder. Figures need none, and stderr is
/// for what concerns them.
void pass_on_message(QtMsgType type, const QMessageLogContext& context, const QString& text) {
  if (text.startsWith(QLatin1String("QStandardPaths: "))) return;
  std::fprintf(stderr, "%s\n", qUtf8Printable(qFormatLogMessage(type, context, text)));
}

}  // namespace

Expected<void> draw_figure_file(const FigureData& figure, const DrawnFigureOptions& options,
                                const std::filesystem::path& path) {
  qInstallMessageHandler(pass_on_message);
  NATSCOPE_CHECK(ui::prepareFigures());
  ui::FigureOptions drawn;
  drawn.theme = options.dark ? Theme::dark : Theme::light;
  drawn.dpi = options.dpi;
  drawn.scale = options.scale;
  return ui::drawFigure(figure, drawn, path);
}

}  // namespace natscope
