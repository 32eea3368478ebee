// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/plot_theme.h"

#include "ui/theme/theme.h"
#include "ui/views/charts/plot_library.h"

namespace natscope::ui {

void paintPlotInTheme(QCustomPlot& plot) {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  plot.setBackground(QBrush(theme.panel));
  for (QCPAxis* const axis : {plot.xAxis, plot.yAxis}) {
    axis->setTickLabelColor(theme.muted);
    axis->setLabelColor(theme.muted);
    axis->setBasePen(QPen(theme.border));
    axis->setTickPen(QPen(theme.border));
    axis->setSubTickPen(Qt::NoPen);
    axis->grid()->setPen(QPen(theme.border, 1, Qt::DotLine));
    axis->grid()->setZeroLinePen(Qt::NoPen);
  }
}

}  // namespace natscope::ui
