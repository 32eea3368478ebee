// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/curve_chart.h"

#include <QEvent>
#include <QLabel>
#include <QTextDocument>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/plot_library.h"
#include "ui/views/charts/plot_theme.h"
#include "ui/views/charts/sparse_ticker.h"
#include "ui/views/fitting_words.h"

namespace natscope::ui {
namespace {

/// More dots than these would be a thick line.
constexpr qsizetype mostDots = 30;
constexpr int sideMargin = 4;
constexpr double thinLine = 1.25;
/// A value is far above the others beyond this many times what 95 in 100 of them do not reach.
constexpr double farAbove = 2;
constexpr int besideOfAxis = 8;
constexpr double dotSize = 4;
constexpr double roomForLastDot = 0.012;
const QString gap = QStringLiteral("  ");
const QString space = QStringLiteral("&nbsp; ");

QString valueText(double value, CurveChart::Scale scale) {
  if (scale == CurveChart::Scale::percent) return QString::number(value, 'f', 1);
  if (scale == CurveChart::Scale::typical) return speedText(value);
  // A readout has room for what an axis has to shorten.
  const double size = std::abs(value);
  if (size < 0.01 || size >= 1e6) return shortNumber(value);
  return QString::number(value, 'f', size < 10 ? 3 : size < 100 ? 2 : 0);
}

/// What 95 in 100 values do not exceed.
double usualTop(QVector<double> values) {
  if (values.isEmpty()) return 0;
  const auto at = values.begin() + (values.size() - 1) * 95 / 100;
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// How a line looks, as a letter.
QString signOf(const QPen& pen, bool hasDots) {
  if (hasDots) return QStringLiteral("•");
  switch (pen.style()) {
    case Qt::DashLine:
      return QStringLiteral("╌");
    case Qt::DotLine:
      return QStringLiteral("┈");
    default:
      return pen.widthF() < thinLine ? QStringLiteral("─") : QStringLiteral("━");
  }
}

/// A see-through colour as it appears on a panel.
QColor onPanel(const QColor& colour) {
  const QColor panel = ThemeSwitch::instance().colours().panel;
  const auto mixed = [&](float over, float under) { return under + (over - under) * colour.alphaF(); };
  return QColor::fromRgbF(mixed(colour.redF(), panel.redF()), mixed(colour.greenF(), panel.greenF()),
                          mixed(colour.blueF(), panel.blueF()));
}

}  // namespace

CurveChart::CurveChart(const QString& title, Scale scale, const QString& help, QWidget* parent)
    : QWidget(parent),
      title_(title),
      scale_(scale),
      help_(help),
      readout_(new QLabel(this)),
      plot_(new QCustomPlot(this)) {
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(sideMargin, 2, sideMargin, 0);
  layout->setSpacing(0);
  layout->addWidget(readout_);
  layout->addWidget(plot_, 1);
  readout_->setTextFormat(Qt::RichText);
  readout_->setMinimumWidth(1);
  QFont letters = font();
  letters.setPixelSize(11);
  readout_->setFont(letters);
  plot_->setMinimumSize(80, 40);
  setUpAxes();
  connect(plot_, &QCustomPlot::mouseMove, this, [this](const QMouseEvent* event) {
    hovered_ = std::round(std::max(0.0, plot_->xAxis->pixelToCoord(event->position().x())));
    sayValues();
  });
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &CurveChart::paintInTheme);
  paintInTheme();
}

void CurveChart::setUpAxes() {
  plot_->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  const auto across = QSharedPointer<SparseTicker>::create(*plot_->xAxis);
  across->setWhole(true);  // there is no half step
  across->setFirstWord(tr("step"));
  plot_->xAxis->setTicker(across);
  const auto upward = QSharedPointer<SparseTicker>::create(*plot_->yAxis);
  if (scale_ == Scale::percent) upward->setLastUnit(QStringLiteral("%"));
  plot_->yAxis->setTicker(upward);
  QFont small = font();
  small.setPixelSize(10);
  for (QCPAxis* const axis : {plot_->xAxis, plot_->yAxis}) {
    axis->setTickLabelFont(small);
    axis->setTickLabelPadding(3);
    axis->setNumberFormat(QStringLiteral("g"));  // powers stay as the ticker wrote them
    axis->setTickLength(0, 3);
  }
  // The last number is centred on the end of the axis.
  const QFontMetrics metrics(small);
  plot_->axisRect()->setMargins(
      QMargins(0, metrics.height() / 2 + 2, std::max(besideOfAxis, metrics.horizontalAdvance(u'0') * 3), 0));
}

void CurveChart::setTitle(const QString& title) {
  if (std::exchange(title_, title) != title) sayValues();
}

int CurveChart::points() const {
  int points = 0;
  for (const QCPGraph* const graph : graphs_) points += graph->dataCount();
  return points;
}

void CurveChart::setLines(const std::vector<ChartLine>& lines) {
  plot_->clearGraphs();
  graphs_.clear();
  for (const ChartLine& line : lines) {
    QCPGraph* const graph = plot_->addGraph();
    graphs_.push_back(graph);
    graph->setName(line.name);
    graph->setPen(line.pen);
    // A fraction is read as a percentage.
    const double factor = scale_ == Scale::percent ? 100 : 1;
    QVector<double> values = line.curve->values;
    for (double& value : values) value *= factor;
    graph->setData(line.curve->steps, values, true);
    // One point draws no line.
    if ((line.hasDots && line.curve->steps.size() <= mostDots) || line.curve->steps.size() == 1)
      graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, dotSize));
    // A mark in the readout that the line has whatever its number of points.
    graph->setProperty("dots", line.hasDots);
  }
  fitRange(lines);
  markCut();
  // Numbers without a line would say that there is something to read.
  const bool hasPoints = points() > 0;
  for (QCPAxis* const axis : {plot_->xAxis, plot_->yAxis}) axis->setTickLabels(hasPoints);
  sayValues();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

void CurveChart::fitRange(const std::vector<ChartLine>& lines) {
  double lowest = std::numeric_limits<double>::max();
  highest_ = std::numeric_limits<double>::lowest();
  double lastStep = 1;
  double usual = 0;
  for (const ChartLine& line : lines) {
    for (const double value : line.curve->values) {
      lowest = std::min(lowest, value);
      highest_ = std::max(highest_, value);
    }
    if (scale_ == Scale::typical) usual = std::max(usual, usualTop(line.curve->values));
    if (!line.curve->steps.isEmpty()) lastStep = std::max(lastStep, line.curve->steps.last());
  }
  plot_->xAxis->setRange(0, lastStep * (1 + roomForLastDot));
  if (scale_ == Scale::percent) return plot_->yAxis->setRange(0, 102);
  if (lowest > highest_) return plot_->yAxis->setRange(0, 1);
  if (scale_ == Scale::tight) {
    const double room = highest_ > lowest ? 0.06 * (highest_ - lowest) : std::max(0.1, 0.05 * std::abs(highest_));
    return plot_->yAxis->setRange(lowest - room, highest_ + room);
  }
  const bool isCut = scale_ == Scale::typical && usual > 0 && highest_ > farAbove * usual;
  const double top = isCut ? 1.3 * usual : 1.08 * highest_;
  plot_->yAxis->setRange(0, top > 0 ? top : 1);
}

void CurveChart::markCut() {
  cutPoints_ = 0;
  if (scale_ != Scale::typical) return;
  const double top = plot_->yAxis->range().upper;
  for (const QCPGraph* const graph : graphs_) {
    QVector<double> steps;
    for (auto point = graph->data()->constBegin(); point != graph->data()->constEnd(); ++point) {
      if (point->value > top) steps.append(point->key);
    }
    if (steps.isEmpty()) continue;
    cutPoints_ += static_cast<int>(steps.size());
    QCPGraph* const marks = plot_->addGraph();
    marks->setData(steps, QVector<double>(steps.size(), 0.97 * top), true);
    marks->setLineStyle(QCPGraph::lsNone);
    const QColor colour = onPanel(graph->pen().color());
    marks->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssTriangle, QPen(colour), QBrush(colour), 5));
  }
}

void CurveChart::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  sayValues();
}

void CurveChart::leaveEvent(QEvent* event) {
  QWidget::leaveEvent(event);
  hovered_.reset();
  sayValues();
}

void CurveChart::setTwoLines(bool isTwoLines) {
  if (std::exchange(isTwoLines_, isTwoLines) != isTwoLines) sayValues();
}

std::vector<CurveChart::Said> CurveChart::values() const {
  std::vector<Said> said;
  for (const QCPGraph* const graph : graphs_) {
    if (graph->dataCount() == 0) continue;
    // The last point up to the step that is said: findBegin goes one back from the first beyond it.
    const int at = hovered_ ? graph->findBegin(*hovered_ + 0.5, true) : graph->dataCount() - 1;
    const QString name = graph->name().isEmpty() ? QString() : graph->name() + u' ';
    // A line right in front of a number would be a minus.
    const QString sign =
        graphs_.size() > 1 ? signOf(graph->pen(), graph->property("dots").toBool()) + QChar(0x2009) : QString();
    said.push_back({name + valueText(graph->dataMainValue(at), scale_), onPanel(graph->pen().color()), sign});
  }
  return said;
}

QString CurveChart::cutText() const {
  return cutPoints_ > 0 ? tr("▲ to %1").arg(valueText(highest_, scale_)) : QString();
}

int CurveChart::readoutWidth() const {
  QFont bold = readout_->font();
  bold.setBold(true);
  const QString cut = cutText();
  const int cutWidth = cut.isEmpty() ? 0 : QFontMetrics(readout_->font()).horizontalAdvance(gap + cut);
  return QFontMetrics(bold).horizontalAdvance(title_) + valuesWidth() + cutWidth;
}

int CurveChart::valuesWidth(std::size_t most) const {
  const QFontMetrics metrics(readout_->font());
  int width = 2 * sideMargin;
  for (const Said& each : values()) {
    if (most-- == 0) break;
    width += metrics.horizontalAdvance(gap + each.sign + each.text);
  }
  return width;
}

void CurveChart::sayValues() {
  const QString title = hovered_ ? tr("%1 · step %2").arg(title_, groupedNumber(std::llround(*hovered_))) : title_;
  const std::vector<Said> all = values();
  say(title, all);
  QStringList lines;
  for (const Said& each : all) lines << (each.sign + u' ' + each.text).trimmed().toHtmlEscaped();
  QString help = QStringLiteral("<p>%1</p>").arg(help_.toHtmlEscaped());
  if (cutPoints_ > 0)
    help += tr("<p>▲: values above the chart (%1, up to %2)</p>")
                .arg(groupedNumber(cutPoints_), valueText(highest_, scale_));
  if (!lines.isEmpty()) help += QStringLiteral("<p>%1</p>").arg(lines.join(QStringLiteral("<br>")));
  setToolTip(help);
}

void CurveChart::say(const QString& title, const std::vector<Said>& values) {
  const QFontMetrics metrics(readout_->font());
  QFont bold = readout_->font();
  bold.setBold(true);
  const QString muted = ThemeSwitch::instance().colours().muted.name();
  const int most = width() - 2 * sideMargin;
  const int titleWidth = QFontMetrics(bold).horizontalAdvance(title);
  QString head = QStringLiteral("<b>%1</b>").arg(title.toHtmlEscaped());
  const QString cut = cutText();
  const QString cutPart =
      cut.isEmpty() ? QString() : space + QStringLiteral("<span style='color:%1'>%2</span>").arg(muted, cut);
  const int cutWidth = cut.isEmpty() ? 0 : metrics.horizontalAdvance(gap + cut);
  int used = isTwoLines_ ? 0 : titleWidth + cutWidth;
  QString tail;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Said& each = values[i];
    // The last one needs no room for "…" behind it.
    const QString rest = i + 1 < values.size() ? QStringLiteral(" …") : QString();
    const int needed =
        metrics.horizontalAdvance((tail.isEmpty() && isTwoLines_ ? QString() : gap) + each.sign + each.text);
    if (used + needed + metrics.horizontalAdvance(rest) > most && i > 0) {
      tail += QStringLiteral(" <span style='color:%1'>…</span>").arg(muted);
      break;
    }
    used += needed;
    if (!tail.isEmpty() || !isTwoLines_) tail += space;
    tail += QStringLiteral("<span style='color:%1'>%2</span>%3")
                .arg(each.colour.name(), each.sign, each.text.toHtmlEscaped());
  }
  if (values.empty()) {
    const QString words = longestFitting({tr("nothing yet"), QStringLiteral("–")}, metrics,
                                         most - used - (isTwoLines_ ? 0 : metrics.horizontalAdvance(gap)));
    tail = (isTwoLines_ ? QString() : space) + QStringLiteral("<span style='color:%1'>%2</span>").arg(muted, words);
  }
  readout_->setText(isTwoLines_ ? head + cutPart + QStringLiteral("<br>") + tail : head + tail + cutPart);
}

QString CurveChart::readoutText() const {
  QTextDocument text;
  text.setHtml(readout_->text());
  return text.toPlainText().replace(QChar::Nbsp, u' ').simplified();
}

void CurveChart::paintInTheme() {
  paintPlotInTheme(*plot_);
  sayValues();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace natscope::ui
