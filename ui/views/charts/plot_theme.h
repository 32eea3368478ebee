// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

class QCustomPlot;

namespace natscope::ui {

/// Gives a plot's paper, axes and grid the colours of the theme. The caller replots.
void paintPlotInTheme(QCustomPlot& plot);

}  // namespace natscope::ui
