// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/drawn_figure.h"

#include "ui/figure/figure.h"

namespace natscope {

Expected<void> draw_figure_file(const FigureData& figure, const DrawnFigureOptions& options,
                                const std::filesystem::path& path) {
  NATSCOPE_CHECK(ui::prepareFigures());
  ui::FigureOptions drawn;
  drawn.theme = options.dark ? Theme::dark : Theme::light;
  drawn.dpi = options.dpi;
  drawn.scale = options.scale;
  return ui::drawFigure(figure, drawn, path);
}

}  // namespace natscope
