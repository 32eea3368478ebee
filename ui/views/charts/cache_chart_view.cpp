// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/cache_chart_view.h"

#include <QCheckBox>
#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/figure/cache_colours.h"
#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/plot_library.h"
#include "ui/views/charts/plot_theme.h"
#include "ui/views/fitting_words.h"

namespace natscope::ui {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;
constexpr int axisNumbers = 24;
constexpr int axisLabel = 21;
constexpr int lowChart = 150;  // in which the line above says what its label says
/// Without the line of full attention the axis ends at the largest value from this part of the text on: the first few
/// tokens are held by everyone, and would squash what comes after.
constexpr int settledPart = 10;
constexpr int tickDistance = 22;
constexpr QSize leastPlot(160, 52);
constexpr int goodPlotHeight = 84;
/// Words, shares in brackets and at last numbers leave the line one after another where it is too narrow for all.
constexpr int mostLeftOut = 5;

enum Line { dense, live, allocated, keptLive };

/// 7,500,000 rather than 7.5 · 10^6: the same number stands over the chart.
class AmountTicker : public QCPAxisTicker {
 protected:
  QString getTickLabel(double tick, const QLocale& locale, QChar format, int precision) override {
    if (std::abs(tick) < 1000 || tick != std::floor(tick))
      return QCPAxisTicker::getTickLabel(tick, locale, format, precision);
    return groupedNumber(static_cast<std::int64_t>(tick));
  }
};

/// There is no token 2.5.
class PositionTicker : public AmountTicker {
 protected:
  double getTickStep(const QCPRange& range) override {
    return std::max(1.0, std::floor(AmountTicker::getTickStep(range)));
  }
};

}  // namespace

CacheChartView::CacheChartView(SequenceModel& sequence, Selection& selection, QWidget* parent)
    : QWidget(parent),
      sequence_(sequence),
      selection_(selection),
      plot_(new QCustomPlot(this)),
      nothing_(new QLabel(tr("The cache's curves appear when a text was analysed."), this)),
      readout_(new QLabel(this)),
      line_(new QHBoxLayout),
      axisChoice_(new QComboBox(this)),
      denseChoice_(new QCheckBox(tr("dense"), this)) {
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(6, 4, 6, 0);
  layout->setSpacing(0);
  line_->setSpacing(6);
  line_->addWidget(readout_, 1);
  line_->addWidget(denseChoice_);
  line_->addWidget(axisChoice_);
  axisChoice_->setObjectName(QStringLiteral("cacheAxis"));
  axisChoice_->addItems({tr("MiB"), tr("% of dense")});
  axisChoice_->setToolTip(
      tr("What the axis counts: memory, or the share of what full attention would hold after the same token"));
  denseChoice_->setObjectName(QStringLiteral("cacheDense"));
  denseChoice_->setChecked(true);
  denseChoice_->setToolTip(tr("Draw full attention's line, too; without it the others have the whole height"));
  connect(axisChoice_, &QComboBox::currentIndexChanged, this,
          [this](int index) { setAxis(index == 1 ? CacheAxis::share : CacheAxis::amount); });
  connect(denseChoice_, &QCheckBox::toggled, this, &CacheChartView::setDense);
  layout->addLayout(line_);
  layout->addWidget(plot_, 1);
  readout_->setObjectName(QStringLiteral("cacheNumbers"));
  readout_->setTextFormat(Qt::RichText);
  readout_->setMinimumSize(1, 18);
  readout_->installEventFilter(this);  // what is left out depends on its width
  plot_->setObjectName(QStringLiteral("cachePlot"));
  plot_->setMinimumSize(leastPlot);
  plot_->installEventFilter(this);  // nothing is pointed at once the mouse has left it
  // Axes without a curve would say that there is something to read.
  nothing_->setObjectName(QStringLiteral("muted"));
  nothing_->setAlignment(Qt::AlignCenter);
  nothing_->setMinimumSize(plot_->minimumSize());
  layout->addWidget(nothing_, 1);
  for (const QString& name : {tr("dense"), tr("live"), tr("allocated"), tr("kept")}) plot_->addGraph()->setName(name);
  plot_->graph(allocated)->setLineStyle(QCPGraph::lsStepLeft);
  cursor_ = new QCPItemStraightLine(plot_);
  // In a layer of its own, with a picture of its own: it moves with the mouse, over curves of many thousand steps.
  const QString cursorLayer = QStringLiteral("cursor");
  plot_->addLayer(cursorLayer);
  plot_->layer(cursorLayer)->setMode(QCPLayer::lmBuffered);
  cursor_->setLayer(cursorLayer);
  plot_->yAxis->setTicker(QSharedPointer<AmountTicker>::create());
  plot_->xAxis->setTicker(QSharedPointer<PositionTicker>::create());
  plot_->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  plot_->axisRect()->setMargins(QMargins(0, 6, 10, 0));
  plot_->setNoAntialiasingOnDrag(true);

  // Numbers on the axis keep their distance in a low chart, and its curves have the room of a label.
  connect(plot_, &QCustomPlot::beforeReplot, this, [this] {
    ++curvesDrawn_;
    const bool isLow = plot_->height() < lowChart;
    plot_->xAxis->setLabel(isLow ? QString() : tr("after token"));
    const int curves = plot_->height() - axisNumbers - (isLow ? 0 : axisLabel);
    plot_->yAxis->ticker()->setTickCount(std::clamp(curves / tickDistance, 2, 6));
  });
  connect(plot_, &QCustomPlot::mouseMove, this,
          [this](const QMouseEvent* event) { selection_.hover(stepAt(event->position().x())); });
  connect(plot_, &QCustomPlot::mousePress, this, [this](const QMouseEvent* event) {
    if (const auto step = stepAt(event->position().x()))
      selection_.pin(*step, event->modifiers().testFlag(Qt::ShiftModifier));
  });
  connect(&sequence_, &SequenceModel::restarted, this, &CacheChartView::restart);
  connect(&sequence_, &SequenceModel::extended, this, &CacheChartView::extend);
  connect(&selection_, &Selection::changed, this, &CacheChartView::moveCursor);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &CacheChartView::paintInTheme);
  paintInTheme();
  restart();
}

int CacheChartView::points() const { return plot_->graph(live)->dataCount(); }
int CacheChartView::keptPoints() const { return plot_->graph(keptLive)->dataCount(); }

int CacheChartView::allocatedPoints() const { return plot_->graph(allocated)->dataCount(); }

double CacheChartView::liveOf(const CacheCounts& counts) const {
  if (axis_ == CacheAxis::share) return 100 * counts.fraction;
  return isInEntries_ ? static_cast<double>(counts.entries) : static_cast<double>(counts.live_bytes) / mebibyte;
}

double CacheChartView::allocatedOf(const CacheCounts& counts) const {
  const auto bytes = static_cast<double>(counts.allocated_bytes);
  if (axis_ == CacheAxis::amount) return bytes / mebibyte;
  return counts.dense_bytes > 0 ? 100 * bytes / static_cast<double>(counts.dense_bytes) : 0;
}

double CacheChartView::denseOf(const CacheCounts& counts) const {
  if (axis_ == CacheAxis::share) return 100;
  if (!isInEntries_) return static_cast<double>(counts.dense_bytes) / mebibyte;
  const CacheGeometry& geometry = sequence_.record().geometry();
  return static_cast<double>(counts.tokens * geometry.layers * geometry.kv_heads);
}

QString CacheChartView::unit() const {
  if (axis_ == CacheAxis::share) return tr("% of dense");
  return isInEntries_ ? tr("entries") : tr("MiB");
}

QString CacheChartView::numbers() const { return readout_->text(); }
double CacheChartView::top() const { return plot_->yAxis->range().upper; }

void CacheChartView::setAxis(CacheAxis axis) {
  if (axis == axis_) return;
  axis_ = axis;
  axisChoice_->setCurrentIndex(axis == CacheAxis::share ? 1 : 0);
  drawAnew();
}

void CacheChartView::setDense(bool isShown) {
  denseChoice_->setChecked(isShown);
  plot_->graph(dense)->setVisible(isShown);
  setRanges();
  draw();
}

void CacheChartView::drawAnew() {
  forget();
  plot_->yAxis->setLabel(unit());
  drawKept();
  extend();
}

QString CacheChartView::amount(double value) const {
  if (axis_ == CacheAxis::share) return QString::number(value, 'f', 1);
  if (isInEntries_) return groupedNumber(static_cast<std::int64_t>(value));
  return QString::number(value, 'f', value < 100 ? 3 : 1);
}

QSize CacheChartView::minimumSizeHint() const {
  return QWidget::minimumSizeHint() + QSize(0, goodPlotHeight - leastPlot.height());
}

void CacheChartView::setCorner(QWidget* corner) { line_->addWidget(corner); }

void CacheChartView::setKept(const std::shared_ptr<const KeptRun>& kept) {
  if (kept == kept_) return;
  kept_ = kept;
  drawKept();
  setRanges();
  draw();
}

bool CacheChartView::isKeptKnown() const {
  // Bytes of a recording that does not say what an entry costs have no place beside known ones.
  return axis_ == CacheAxis::share || isInEntries_ || kept_->record.geometry().head_dim > 0;
}

void CacheChartView::drawKept() {
  QCPGraph* const graph = plot_->graph(keptLive);
  graph->data()->clear();
  if (!kept_ || !isKeptKnown()) return;
  double x = 0;
  for (const TokenFrame& frame : kept_->record.frames()) graph->addData(x++, liveOf(frame.counts));
}

double CacheChartView::largest(int line, std::int64_t from) const {
  double most = 0;
  const QSharedPointer<QCPGraphDataContainer> values = plot_->graph(line)->data();
  for (auto point = values->findBegin(static_cast<double>(from), false); point != values->constEnd(); ++point)
    most = std::max(most, point->value);
  return most;
}

void CacheChartView::setRanges() {
  const auto frames = sequence_.record().frames();
  const bool isEmpty = frames.empty() && keptPoints() == 0;
  nothing_->setVisible(isEmpty);
  plot_->setVisible(!isEmpty);
  double top = 0;
  if (!frames.empty() && plot_->graph(dense)->visible()) {
    top = denseOf(frames.back().counts);
    if (!isInEntries_) top = std::max(top, allocatedOf(frames.back().counts));
  } else {
    const std::int64_t from = drawn_ / settledPart;
    for (const Line line : {live, allocated, keptLive}) top = std::max(top, largest(line, from));
  }
  auto longest = static_cast<double>(drawn_);
  if (kept_ && kept_->record.size() > 0) {
    longest = std::max(longest, static_cast<double>(kept_->record.size()));
    if (keptPoints() > 0) top = std::max(top, liveOf(kept_->record.frames().back().counts));
  }
  plot_->xAxis->setRange(0, std::max<double>(1, longest - 1));
  plot_->yAxis->setRange(0, top > 0 ? 1.06 * top : 1);
}

void CacheChartView::restart() {
  const CacheGeometry& geometry = sequence_.record().geometry();
  isInEntries_ = geometry.layers > 0 && geometry.head_dim == 0;
  axisChoice_->setItemText(0, isInEntries_ ? tr("entries") : tr("MiB"));
  drawAnew();
}

void CacheChartView::forget() {
  for (const Line line : {dense, live, allocated}) plot_->graph(line)->data()->clear();
  drawn_ = 0;
}

void CacheChartView::extend() {
  const auto frames = sequence_.record().frames();
  // What a prompt's tokens had allocated is known, and the same for all of them, when its last chunk was processed.
  const std::int64_t first = frames.empty() ? 0 : frames.front().counts.allocated_bytes;
  if (std::exchange(firstAllocated_, first) != first) forget();
  // A long prompt comes in several pieces: what was its end till now is not.
  const auto drawn = static_cast<std::size_t>(drawn_);
  if (drawn > 0 && drawn < frames.size() && !frames[drawn - 1].generated && !frames[drawn].generated)
    plot_->graph(allocated)->data()->remove(static_cast<double>(drawn - 1));
  for (std::size_t i = drawn; i < frames.size(); ++i) {
    const CacheCounts& counts = frames[i].counts;
    const auto x = static_cast<double>(i);
    plot_->graph(dense)->addData(x, denseOf(counts));
    plot_->graph(live)->addData(x, liveOf(counts));
    // Inside the prompt nobody knows it: the line begins where the prompt was processed.
    const bool isKnown = i + 1 == frames.size() || frames[i].generated || frames[i + 1].generated;
    if (!isInEntries_ && isKnown && counts.allocated_bytes > 0)
      plot_->graph(allocated)->addData(x, allocatedOf(counts));
  }
  const bool isPoint = plot_->graph(allocated)->dataCount() == 1;
  plot_->graph(allocated)->setScatterStyle(
      QCPScatterStyle(isPoint ? QCPScatterStyle::ssDisc : QCPScatterStyle::ssNone, 5));
  drawn_ = static_cast<std::int64_t>(frames.size());
  setRanges();
  draw();
}

void CacheChartView::draw() {
  showStep();
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

void CacheChartView::moveCursor() {
  showStep();
  cursor_->layer()->replot();
}

void CacheChartView::showStep() {
  const auto chosen = selection_.token();
  const auto frames = sequence_.record().frames();
  cursor_->setVisible(chosen.has_value());
  if (chosen) {
    cursor_->point1->setCoords(chosen->value, 0);
    cursor_->point2->setCoords(chosen->value, 1);
  }
  if (frames.empty()) return readout_->clear();
  const std::size_t at =
      chosen ? std::min(frames.size() - 1, static_cast<std::size_t>(chosen->value)) : frames.size() - 1;
  const QString all = numbersAt(at, 0);
  QString words = all;
  for (int leftOut = 1; leftOut <= mostLeftOut && !fits(words); ++leftOut) words = numbersAt(at, leftOut);
  readout_->setText(words);
  const QString paper =
      tr("The paper's KV fraction at this step: %1").arg(percentText(frames[at].counts.paper_fraction));
  readout_->setToolTip(words == all ? paper : QStringLiteral("<p>%1</p><p>%2</p>").arg(all, paper));
}

bool CacheChartView::fits(const QString& words) const {
  if (!readout_->isVisible()) return true;  // nobody knows how wide it will be
  return richWidth(words, readout_->font()) <= readout_->width();
}

QString CacheChartView::numbersAt(std::size_t at, int leftOut) const {
  const auto frames = sequence_.record().frames();
  const CacheCounts& counts = frames[at].counts;
  const bool isDark = ThemeSwitch::instance().theme() == Theme::dark;
  const auto line = [](const QString& sign, QRgb colour, const QString& words) {
    return QStringLiteral("<span style='color:%1'>%2</span>&nbsp;%3 &nbsp; ").arg(QColor(colour).name(), sign, words);
  };
  // Its share is said once: by the axis, or in brackets.
  const auto held = [&](const QString& pattern, const CacheCounts& of, bool hasRoom) {
    const QString words = pattern.arg(amount(liveOf(of)));
    return axis_ == CacheAxis::share || !hasRoom ? words : words + tr(" (%1)").arg(percentText(of.fraction));
  };
  QString words = (leftOut < 1 ? tr("after token %1: &nbsp;") : tr("token %1: &nbsp;"))
                      .arg(groupedNumber(static_cast<std::int64_t>(at)));
  if (plot_->graph(dense)->visible() && leftOut < 5)
    words += line(QStringLiteral("╌╌"), denseColour, tr("dense <b>%1</b>").arg(amount(denseOf(counts))));
  words +=
      line(QStringLiteral("━━"), isDark ? liveOnDark : liveColour, held(tr("live <b>%1</b>"), counts, leftOut < 3));
  // Inside the prompt nobody knows what was allocated then: every number here is of one moment.
  const bool isInPrompt = at + 1 < frames.size() && !frames[at].generated && !frames[at + 1].generated;
  if (!isInEntries_ && !isInPrompt && counts.allocated_bytes > 0 && leftOut < 4)
    words += line(QStringLiteral("┈┈"), allocatedColour, tr("allocated <b>%1</b>").arg(amount(allocatedOf(counts))));
  if (kept_ && at >= kept_->record.frames().size() && kept_->record.size() > 0) {
    words += line(QStringLiteral("━╌"), keptColour,
                  (leftOut < 2 ? tr("kept run ended at token %1") : tr("kept: to token %1"))
                      .arg(groupedNumber(kept_->record.size() - 1)));
  } else if (kept_ && kept_->record.size() > 0) {
    const CacheCounts& before = kept_->record.frames()[at].counts;
    const QString share = tr("kept <b>%1</b>").arg(percentText(before.fraction));
    words +=
        line(QStringLiteral("━╌"), keptColour, isKeptKnown() ? held(tr("kept <b>%1</b>"), before, leftOut < 2) : share);
  }
  return words + unit();
}

bool CacheChartView::eventFilter(QObject* watched, QEvent* event) {
  if (watched == readout_ && (event->type() == QEvent::Resize || event->type() == QEvent::Show)) showStep();
  if (watched == plot_ && event->type() == QEvent::Leave) selection_.hover(std::nullopt);
  return QWidget::eventFilter(watched, event);
}

std::optional<TokenPos> CacheChartView::stepAt(double x) const {
  const auto step = static_cast<std::int64_t>(std::lround(plot_->xAxis->pixelToCoord(x)));
  if (step < 0 || step >= drawn_) return std::nullopt;
  return TokenPos(static_cast<std::int32_t>(step));
}

void CacheChartView::paintInTheme() {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const bool isDark = ThemeSwitch::instance().theme() == Theme::dark;
  const QColor liveLine(isDark ? liveOnDark : liveColour);
  QColor fill = liveLine;
  fill.setAlphaF(0.15F);
  paintPlotInTheme(*plot_);
  plot_->graph(dense)->setPen(QPen(QColor(denseColour), 1.6, Qt::DashLine));
  plot_->graph(live)->setPen(QPen(liveLine, 2));
  plot_->graph(live)->setBrush(fill);
  plot_->graph(keptLive)->setPen(QPen(QColor(keptColour), 2, Qt::DashDotLine));
  plot_->graph(allocated)->setPen(QPen(QColor(allocatedColour), 1.6, Qt::DotLine));
  cursor_->setPen(QPen(theme.crosshair, 1));
  QFont small = font();
  small.setPixelSize(11);
  for (QCPAxis* const axis : {plot_->xAxis, plot_->yAxis}) {
    axis->setTickLabelFont(small);
    axis->setLabelFont(small);
    axis->setLabelPadding(2);
  }
  draw();
}

}  // namespace natscope::ui
