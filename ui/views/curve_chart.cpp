// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/curve_chart.h"

#include <QEvent>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/views/plot_library.h"

namespace natscope::ui {
namespace {

/// More values than this beside a title would be a paragraph.
constexpr int pixelsOfAValue = 85;
/// More dots than these would be a thick line.
constexpr qsizetype mostDots = 30;

QString valueText(double value, CurveChart::Scale scale) {
  if (scale == CurveChart::Scale::percent) return QString::number(value, 'f', 1) + QStringLiteral(" %");
  return std::abs(value) >= 1000 ? QString::number(value, 'f', 0) : QString::number(value, 'g', 4);
}

}  // namespace

CurveChart::CurveChart(const QString& title, Scale scale, const QString& help, QWidget* parent)
    : QWidget(parent), title_(title), scale_(scale), readout_(new QLabel(this)), plot_(new QCustomPlot(this)) {
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(4, 2, 4, 0);
  layout->setSpacing(0);
  layout->addWidget(readout_);
  layout->addWidget(plot_, 1);
  readout_->setTextFormat(Qt::RichText);
  readout_->setMinimumWidth(1);
  setToolTip(help);
  plot_->setMinimumSize(120, 70);
  plot_->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  plot_->axisRect()->setMargins(QMargins(0, 5, 8, 0));
  // There is no half step.
  auto steps = QSharedPointer<QCPAxisTickerFixed>::create();
  steps->setTickStep(1);
  steps->setScaleStrategy(QCPAxisTickerFixed::ssMultiples);
  plot_->xAxis->setTicker(steps);
  plot_->xAxis->ticker()->setTickCount(3);
  plot_->xAxis->setNumberFormat(QStringLiteral("gb"));
  plot_->yAxis->setNumberFormat(QStringLiteral("gb"));
  plot_->yAxis->ticker()->setTickCount(4);
  connect(plot_, &QCustomPlot::mouseMove, this, [this](const QMouseEvent* event) {
    hovered_ = plot_->xAxis->pixelToCoord(event->position().x());
    sayValues();
  });
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &CurveChart::paintInTheme);
  paintInTheme();
}

int CurveChart::lines() const { return plot_->graphCount(); }

int CurveChart::points() const {
  int points = 0;
  for (int i = 0; i < plot_->graphCount(); ++i) points += plot_->graph(i)->dataCount();
  return points;
}

void CurveChart::setLines(const std::vector<ChartLine>& lines) {
  plot_->clearGraphs();
  double lowest = std::numeric_limits<double>::max();
  double highest = std::numeric_limits<double>::lowest();
  double lastStep = 1;
  for (const ChartLine& line : lines) {
    QCPGraph* const graph = plot_->addGraph();
    graph->setName(line.name);
    graph->setPen(line.pen);
    // A fraction is read as a percentage.
    const double factor = scale_ == Scale::percent ? 100 : 1;
    QVector<double> values = line.curve->values;
    for (double& value : values) value *= factor;
    graph->setData(line.curve->steps, values, true);
    // One point draws no line.
    if ((line.hasDots && line.curve->steps.size() <= mostDots) || line.curve->steps.size() == 1)
      graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, 5));
    for (const double value : line.curve->values) {
      lowest = std::min(lowest, value);
      highest = std::max(highest, value);
    }
    if (!line.curve->steps.isEmpty()) lastStep = std::max(lastStep, line.curve->steps.last());
  }
  plot_->xAxis->setRange(0, lastStep);
  const bool isEmpty = lowest > highest;
  if (scale_ == Scale::percent) {
    plot_->yAxis->setRange(0, 102);
  } else if (isEmpty) {
    plot_->yAxis->setRange(0, 1);
  } else if (scale_ == Scale::fromZero) {
    plot_->yAxis->setRange(0, highest > 0 ? 1.08 * highest : 1);
  } else {
    const double room = highest > lowest ? 0.06 * (highest - lowest) : std::max(0.1, 0.05 * std::abs(highest));
    plot_->yAxis->setRange(lowest - room, highest + room);
  }
  sayValues();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

void CurveChart::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  sayValues();
}

void CurveChart::sayValues() {
  QString text = QStringLiteral("<b>%1</b>").arg(title_);
  if (hovered_ && !plot_->underMouse()) hovered_.reset();
  int said = 0;
  const int mostValuesSaid = std::max(1, (width() - 40) / pixelsOfAValue);
  for (int i = 0; i < plot_->graphCount() && said < mostValuesSaid; ++i) {
    const QCPGraph* const graph = plot_->graph(i);
    if (graph->dataCount() == 0) continue;
    const int at = hovered_ ? graph->findBegin(*hovered_, true) : graph->dataCount() - 1;
    const double value = graph->dataMainValue(at);
    const QString words = valueText(value, scale_);
    text += QStringLiteral(" &nbsp;<span style='color:%1'>%2</span> %3")
                .arg(graph->pen().color().name(), graph->name().toHtmlEscaped(), words);
    ++said;
  }
  if (said == 0)
    text += QStringLiteral(" <span style='color:%1'>%2</span>")
                .arg(ThemeSwitch::instance().colours().muted.name(), tr("nothing yet"));
  readout_->setText(text);
}

void CurveChart::paintInTheme() {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  plot_->setBackground(QBrush(theme.panel));
  QFont small = font();
  small.setPixelSize(10);
  for (QCPAxis* const axis : {plot_->xAxis, plot_->yAxis}) {
    axis->setTickLabelFont(small);
    axis->setTickLabelColor(theme.muted);
    axis->setBasePen(QPen(theme.border));
    axis->setTickPen(QPen(theme.border));
    axis->setSubTickPen(Qt::NoPen);
    axis->grid()->setPen(QPen(theme.border, 1, Qt::DotLine));
    axis->grid()->setZeroLinePen(Qt::NoPen);
  }
  readout_->setStyleSheet(QStringLiteral("font-size: 11px"));
  sayValues();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace natscope::ui
