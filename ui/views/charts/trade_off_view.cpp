// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/trade_off_view.h"

#include <QHelpEvent>
#include <QLabel>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "core/cache/policy.h"
#include "core/export/trade_off_chart.h"
#include "ui/figure/series_look.h"
#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/plot_library.h"
#include "ui/views/charts/plot_theme.h"
#include "ui/views/charts/sparse_ticker.h"

namespace natscope::ui {
namespace {

constexpr double markRadius = 4;
constexpr double ringRadius = 8;
constexpr double reach = 10;    // pixels from a point that count as on it
constexpr double least = 0.01;  // percent: a logarithmic axis has no nought
constexpr int plainLook = 7;    // of another program's method

/// What was set by hand makes a run one of its own.
int lookIn(const RunRow& run) { return run.is_set_by_hand ? -1 : family_look(run.policy); }

std::size_t shownLook(int look) { return static_cast<std::size_t>(look < 0 ? plainLook : look); }

/// 100 %, a half of it, a quarter …
QSharedPointer<QCPAxisTickerText> halvings() {
  const auto ticker = QSharedPointer<QCPAxisTickerText>::create();
  for (double tick = 100; tick >= least; tick /= 2)
    ticker->addTick(tick, QString::number(tick, 'g', tick < 1 ? 2 : 3) + QStringLiteral(" %"));
  return ticker;
}

}  // namespace

std::size_t TradeOffView::lookOf(const RunRow& run) { return shownLook(lookIn(run)); }

TradeOffView::TradeOffView(QWidget* parent)
    : QWidget(parent),
      plot_(new QCustomPlot(this)),
      nothing_(new QLabel(tr("A point for each run of this text: keep one, or read it under other policies."), this)) {
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(4, 2, 8, 0);
  layout->addWidget(plot_, 1);
  layout->addWidget(nothing_, 1);
  nothing_->setObjectName(QStringLiteral("muted"));
  nothing_->setAlignment(Qt::AlignCenter);
  nothing_->setWordWrap(true);
  plot_->setMinimumSize(160, 72);
  plot_->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  plot_->axisRect()->setMargins(QMargins(0, 8, 12, 0));
  plot_->xAxis->setScaleType(QCPAxis::stLogarithmic);
  plot_->xAxis->setTicker(halvings());
  plot_->yAxis->setTicker(QSharedPointer<SparseTicker>::create(*plot_->yAxis));
  plot_->yAxis->setNumberFormat(QStringLiteral("g"));
  QFont small = font();
  small.setPixelSize(10);
  for (QCPAxis* const axis : {plot_->xAxis, plot_->yAxis}) {
    axis->setTickLabelFont(small);
    axis->setLabelFont(small);
    axis->setTickLabelPadding(3);
    axis->setLabelPadding(1);
    axis->setTickLength(0, 3);
    axis->setSubTicks(false);
  }
  plot_->xAxis->setLabel(tr("KV fraction after the prompt"));
  plot_->yAxis->setLabel(tr("perplexity"));
  plot_->setAttribute(Qt::WA_TransparentForMouseEvents);  // points are this view's
  setMouseTracking(true);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &TradeOffView::paintInTheme);
  paintInTheme();
  setRows({});
}

void TradeOffView::setRows(const std::vector<RunList::Row>& rows) {
  points_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RunRow& run = rows[i].figures;
    const std::optional<double> perplexity = perplexity_of(run);
    if (!run.is_same_text || !perplexity || !std::isfinite(*perplexity)) continue;
    points_.push_back({i, std::max(100 * run.outcome.figures.fraction, least), *perplexity, lookIn(run),
                       QString::fromStdString(run.model), QString::fromStdString(run.name), !rows[i].kept,
                       rows[i].isCompared});
  }
  nothing_->setVisible(points_.size() < 2);
  plot_->setVisible(points_.size() >= 2);
  drawFamilies();
  fitRange();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

void TradeOffView::drawFamilies() {
  plot_->clearGraphs();
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const auto addMarks = [&](const std::vector<const Point*>& points, const QPen& line, const QCPScatterStyle& mark) {
    QCPGraph* const graph = plot_->addGraph();
    for (const Point* point : points) graph->addData(point->kv, point->perplexity);
    graph->setPen(line);
    graph->setLineStyle(line.style() == Qt::NoPen ? QCPGraph::lsNone : QCPGraph::lsLine);
    graph->setScatterStyle(mark);
  };
  const auto ring = [&](double width) {
    QPainterPath path;
    path.addEllipse(QPointF(0, 0), ringRadius, ringRadius);
    QCPScatterStyle style(path, QPen(theme.text, width), Qt::NoBrush, 6);
    return style;
  };
  // No line leads from one model to another.
  std::vector<std::pair<int, QString>> families;
  for (const Point& point : points_) {
    if (std::pair of(point.look, point.model); std::ranges::find(families, of) == families.end())
      families.push_back(of);
  }
  for (const auto& [look, model] : families) {
    std::vector<const Point*> family;
    for (const Point& point : points_) {
      if (point.look == look && point.model == model) family.push_back(&point);
    }
    // Methods of other programs have nothing in common.
    std::ranges::sort(family, {}, [](const Point* point) { return point->kv; });
    const QColor colour(seriesColour(shownLook(look)));
    const QPen line = look < 0 || family.size() < 2 ? QPen(Qt::NoPen) : QPen(colour, 1, Qt::DashLine);
    const bool isFilled = isSeriesFilled(shownLook(look));
    addMarks(family, line,
             QCPScatterStyle(seriesMark(shownLook(look), markRadius), QPen(colour, 1.4),
                             isFilled ? QBrush(colour) : QBrush(theme.panel), 6));
  }
  for (const Point& point : points_) {
    if (point.isShown || point.isCompared) addMarks({&point}, QPen(Qt::NoPen), ring(point.isShown ? 1.8 : 0.8));
  }
}

void TradeOffView::fitRange() {
  if (points_.empty()) return;
  const auto [lowKv, highKv] = std::ranges::minmax(points_, {}, &Point::kv);
  const auto [lowY, highY] = std::ranges::minmax(points_, {}, &Point::perplexity);
  // A ring at the edge stays whole.
  const double kvRoom = std::max(1.12, std::pow(highKv.kv / lowKv.kv, 0.06));
  // Down to a number that the axis has: what lies left of all numbers cannot be read.
  const double lowest = 100 / std::exp2(std::ceil(std::log2(100 / lowKv.kv)));
  plot_->xAxis->setRange(std::min(lowest, lowKv.kv / kvRoom), highKv.kv * kvRoom);
  // Where all are nearly equal the axis still has numbers that differ.
  const double room = std::max({0.12 * (highY.perplexity - lowY.perplexity), 0.003 * highY.perplexity, 1e-6});
  plot_->yAxis->setRange(lowY.perplexity - room, highY.perplexity + room);
}

QPointF TradeOffView::pixelOf(const Point& point) const {
  return QPointF(plot_->pos()) +
         QPointF(plot_->xAxis->coordToPixel(point.kv), plot_->yAxis->coordToPixel(point.perplexity));
}

std::optional<QPoint> TradeOffView::pointOf(std::size_t row) const {
  const auto found = std::ranges::find(points_, row, &Point::row);
  if (found == points_.end() || plot_->isHidden()) return std::nullopt;
  return pixelOf(*found).toPoint();
}

const TradeOffView::Point* TradeOffView::nearest(QPointF at) const {
  const Point* best = nullptr;
  double distance = reach;
  for (const Point& point : points_) {
    const QPointF away = pixelOf(point) - at;
    if (const double own = std::hypot(away.x(), away.y()); own < distance) {
      distance = own;
      best = &point;
    }
  }
  return plot_->isHidden() ? nullptr : best;
}

QString TradeOffView::wordsAt(QPoint at) const {
  const Point* const point = nearest(at);
  if (point == nullptr) return {};
  QString words =
      tr("<b>%1</b><br>KV %2 %, perplexity %3")
          .arg(point->name.toHtmlEscaped(), QString::number(point->kv, 'f', 1), perplexityText(point->perplexity));
  const auto isOfAnother = [&](const Point& other) { return other.model != point->model; };
  if (std::ranges::any_of(points_, isOfAnother)) words += tr("<br>of %1").arg(point->model.toHtmlEscaped());
  if (point->isShown) words += tr("<br>the run that is shown");
  if (point->isCompared) words += tr("<br>the kept run that is compared with");
  return words;
}

bool TradeOffView::event(QEvent* event) {
  switch (event->type()) {
    case QEvent::ToolTip: {
      const auto* const help = static_cast<QHelpEvent*>(event);
      QToolTip::showText(help->globalPos(), wordsAt(help->pos()), this);
      return true;
    }
    case QEvent::MouseMove: {
      const auto* const mouse = static_cast<QMouseEvent*>(event);
      setCursor(nearest(mouse->position()) != nullptr ? Qt::PointingHandCursor : Qt::ArrowCursor);
      break;
    }
    case QEvent::MouseButtonPress: {
      const auto* const mouse = static_cast<QMouseEvent*>(event);
      const Point* const point = mouse->button() == Qt::LeftButton ? nearest(mouse->position()) : nullptr;
      if (point == nullptr) break;
      Q_EMIT rowChosen(point->row);
      return true;
    }
    default:
      break;
  }
  return QWidget::event(event);
}

void TradeOffView::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  // No label of a low chart takes half of it.
  plot_->xAxis->setLabel(height() < 120 ? QString() : tr("KV fraction after the prompt"));
}

void TradeOffView::paintInTheme() {
  paintPlotInTheme(*plot_);
  drawFamilies();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace natscope::ui
