// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/job_curves_view.h"

#include <QEvent>
#include <QGridLayout>
#include <QLabel>
#include <QScrollArea>
#include <QVBoxLayout>
#include <cmath>

#include "ui/theme/focus_ring.h"
#include "ui/theme/style_sheet.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int mostNames = 6;
constexpr int longestInTitle = 20;
/// Below these a chart's numbers meet each other.
constexpr QSize leastChart(150, 82);
/// A chart is as wide as its first values, up to here.
constexpr std::size_t valuesInSight = 4;
constexpr int mostForValues = 270;
constexpr double goodAspect = 1.9;
constexpr int spacing = 2;
constexpr int barWidth = 16;

// Okabe–Ito colours, and dashes that tell jobs apart without them.
const QColor onLight[] = {{0x00, 0x72, 0xb2}, {0xd5, 0x5e, 0x00}, {0x00, 0x9e, 0x73}, {0xcc, 0x79, 0xa7}};
const QColor onDark[] = {{0x56, 0xb4, 0xe9}, {0xe6, 0x9f, 0x00}, {0x2c, 0xc5, 0x98}, {0xe0, 0x9a, 0xc2}};
constexpr Qt::PenStyle dashes[] = {Qt::SolidLine, Qt::DashLine, Qt::DotLine, Qt::DashDotLine};
const QString dashSigns[] = {QStringLiteral("━━"), QStringLiteral("╌╌"), QStringLiteral("┈┈"), QStringLiteral("╌┈")};

QPen penOfJob(int job) {
  const bool isDark = ThemeSwitch::instance().theme() == Theme::dark;
  QPen pen((isDark ? onDark : onLight)[job % 4], job == 0 ? 1.8 : 1.3);
  // The colours go round once with each dash.
  pen.setStyle(dashes[(job + job / 4) % 4]);
  return pen;
}

QColor lighter(QColor colour) {
  colour.setAlphaF(0.55F);
  return colour;
}

/// Columns in which `count` charts are nearest to a good shape; where not all of them fit, as many as stand beside each
/// other, and the rest is scrolled to.
int columnsFor(int count, int leastWidth, QSize room) {
  const int most = std::clamp(room.width() / (leastWidth + spacing), 1, std::max(1, count));
  // Beside the bar.
  int best = std::clamp((room.width() - barWidth) / (leastWidth + spacing), 1, most);
  double bestMiss = std::numeric_limits<double>::max();
  for (int rows = 1; rows <= count; ++rows) {
    // No more columns than fill the rows.
    const int columns = (count + rows - 1) / rows;
    const double height = static_cast<double>(room.height()) / rows;
    if (columns > most || height < leastChart.height() + spacing) continue;
    const double miss = std::abs(std::log(static_cast<double>(room.width()) / columns / height / goodAspect));
    if (miss < bestMiss) best = columns;
    bestMiss = std::min(bestMiss, miss);
  }
  return best;
}

}  // namespace

JobCurvesView::JobCurvesView(JobDesk& desk, QWidget* parent)
    : QWidget(parent),
      desk_(desk),
      legend_(new QLabel(this)),
      scroll_(new QScrollArea(this)),
      grid_(new QGridLayout),
      loss_(new CurveChart(
          tr("Loss"), CurveChart::Scale::tight,
          tr("Train: of the batch, before the step. Held out: of text that is not trained on, the line with dots. From "
             "scratch: cross entropy, in nats a token. Fine-tuning's: mean squared difference (MSE) of the last hidden "
             "states to those of the model with full attention."),
          this)),
      heldOut_(new CurveChart(tr("Held out, nats"), CurveChart::Scale::tight,
                              tr("Held-out text, in nats a token: what fine-tuning's own loss does not say"), this)),
      kv_(new CurveChart(tr("KV fraction, %"), CurveChart::Scale::percent,
                         tr("Share of the cache that is kept after a segment's last token: argmax (thick) by the roles "
                            "that inference chooses, sampled (thin) by those that training draws"),
                         this)),
      roles_(new CurveChart(tr("Roles, %"), CurveChart::Scale::percent,
                            tr("Shares of Global, Local and Sliding tokens, as inference chooses them"), this)),
      layers_(new CurveChart(tr("KV by layer, %"), CurveChart::Scale::percent,
                             tr("Held-out KV fraction of every layer, from the first (pale) to the last"), this)),
      rate_(new CurveChart(tr("Learning rate"), CurveChart::Scale::fromZero, tr("Of each step"), this)),
      speed_(new CurveChart(tr("Tokens/s"), CurveChart::Scale::typical, tr("Trained tokens a second"), this)) {
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(4, 2, 4, 2);
  layout->setSpacing(2);
  layout->addWidget(legend_);
  layout->addWidget(scroll_, 1);
  legend_->setTextFormat(Qt::RichText);
  legend_->setMinimumWidth(1);
  legend_->setWordWrap(true);
  auto* const content = new QWidget(scroll_);
  drawAsPanel(*content);
  content->setLayout(grid_);
  grid_->setSpacing(spacing);
  grid_->setContentsMargins(0, 0, 0, 0);
  scroll_->setWidget(content);
  scroll_->setWidgetResizable(true);
  scroll_->setFrameShape(QFrame::NoFrame);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->viewport()->installEventFilter(this);
  new FocusRing(scroll_);  // arrow keys scroll it
  for (CurveChart* const chart : charts()) chart->setMinimumSize(leastChart);
  connect(&desk_, &JobDesk::curvesChanged, this, &JobCurvesView::draw);
  // A job that ends has no more to show, and one that begins has.
  connect(&desk_, &JobDesk::refreshed, this, &JobCurvesView::arrange);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &JobCurvesView::draw);
  draw();
}

int JobCurvesView::points() const {
  int points = 0;
  for (const CurveChart* const chart : charts()) points += chart->points();
  return points;
}

std::array<CurveChart*, 7> JobCurvesView::charts() const {
  return {loss_, heldOut_, kv_, roles_, layers_, rate_, speed_};
}

bool JobCurvesView::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Resize) arrange();
  return QWidget::eventFilter(watched, event);
}

std::vector<CurveChart*> JobCurvesView::wantedCharts() const {
  std::vector<CurveChart*> wanted;
  // Empty axes would say that there is something to see.
  if (desk_.drawn().isEmpty()) return wanted;
  const JobRow* const row = desk_.list().find(desk_.shown());
  const bool isOver = row != nullptr && !jobs::is_active(row->entry.status.state) && loss_->points() > 0;
  const bool isHeldOutRead = row != nullptr && !row->entry.spec.text("valid").empty() && !isOver;
  for (CurveChart* const chart : charts()) {
    const bool isOfHeldOut = chart == heldOut_ || chart == layers_;
    const bool isTuned = row != nullptr && row->entry.spec.kind == jobs::JobKind::finetune;
    const bool isExpected = isOfHeldOut ? isHeldOutRead && (chart != heldOut_ || isTuned) : loss_->points() == 0;
    if (chart->points() > 0 || isExpected) wanted.push_back(chart);
  }
  return wanted;
}

void JobCurvesView::arrange() {
  const std::vector<CurveChart*> wanted = wantedCharts();
  // Not what a scroll bar leaves: where all of them fit without one, it goes.
  const QSize room = scroll_->contentsRect().size();
  int leastWidth = leastChart.width();
  for (const CurveChart* const chart : wanted)
    leastWidth = std::max(leastWidth, std::min(mostForValues, chart->valuesWidth(valuesInSight)));
  const int columns = columnsFor(static_cast<int>(wanted.size()), leastWidth, room);
  if (columns_ != columns || arranged_ != wanted) {
    columns_ = columns;
    arranged_ = wanted;
    for (CurveChart* const chart : charts()) {
      grid_->removeWidget(chart);
      chart->setVisible(std::find(wanted.begin(), wanted.end(), chart) != wanted.end());
    }
    int at = 0;
    for (CurveChart* const chart : wanted) {
      grid_->addWidget(chart, at / columns, at % columns);
      ++at;
    }
    // Columns that were there before would keep their share.
    for (int column = 0; column < static_cast<int>(charts().size()); ++column)
      grid_->setColumnStretch(column, column < columns ? 1 : 0);
  }
  // All alike, so that the axes of a row stand at one height.
  const int width = scroll_->viewport()->width() / columns - spacing;
  const bool isTwoLines = std::any_of(wanted.begin(), wanted.end(),
                                      [width](const CurveChart* chart) { return chart->readoutWidth() > width; });
  for (CurveChart* const chart : wanted) chart->setTwoLines(isTwoLines);
}

void JobCurvesView::draw() {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const bool isDark = ThemeSwitch::instance().theme() == Theme::dark;
  std::vector<ChartLine> loss, apart, kv, rate, speed;
  QStringList names;
  int job = 0;
  // Lines point into these until they are drawn.
  std::vector<std::shared_ptr<const JobCurves>> held;
  std::size_t areTuned = 0;
  for (const QString& name : desk_.drawn()) {
    const auto curves = desk_.curves(name);
    const QPen pen = penOfJob(job);
    if (job < mostNames) {
      names.append(QStringLiteral("<span style='color:%1'>%2&nbsp;%3</span>")
                       .arg(pen.color().name(), dashSigns[(job + job / 4) % 4], name.left(40).toHtmlEscaped()));
    }
    ++job;
    if (!curves) continue;
    held.push_back(curves);
    QPen thin = pen;
    thin.setColor(lighter(pen.color()));
    thin.setWidthF(1);
    // The same job by its hue, another line by its dots and its shade.
    QPen heldOut(isDark ? pen.color().lighter(150) : pen.color().darker(170), 1.2);
    // The first job says what is what; the others' values have the same order.
    const bool isFirst = held.size() == 1;
    const auto nameOf = [isFirst](const QString& word) { return isFirst ? word : QString(); };
    loss.push_back({nameOf(tr("train")), &curves->loss, pen});
    // Fine-tuning's loss is a distance of states, and no axis holds that and nats.
    const JobRow* const row = desk_.list().find(name);
    const bool isTuned = row != nullptr && row->entry.spec.kind == jobs::JobKind::finetune;
    areTuned += isTuned ? 1 : 0;
    (isTuned ? apart : loss).push_back({nameOf(tr("held out")), &curves->heldOut, heldOut, true});
    kv.push_back({nameOf(tr("argmax")), &curves->argmaxKv, pen});
    kv.push_back({nameOf(tr("sampled")), &curves->sampledKv, thin});
    rate.push_back({QString(), &curves->learningRate, pen});
    speed.push_back({QString(), &curves->tokensPerSecond, pen});
  }
  const std::size_t drawn = held.size();
  std::vector<ChartLine> roles, layers;
  if (const auto curves = desk_.curves(desk_.shown())) {
    held.push_back(curves);
    const Theme shade = ThemeSwitch::instance().theme();
    roles.push_back({tr("G"), &curves->global, QPen(roleInk(Role::global, shade), 1.8)});
    roles.push_back({tr("L"), &curves->local, QPen(roleInk(Role::local, shade), 1.8, Qt::DashLine)});
    roles.push_back({tr("S"), &curves->sliding, QPen(roleInk(Role::sliding, shade), 1.8, Qt::DotLine)});
    const auto count = static_cast<int>(curves->layers.size());
    for (int layer = 0; layer < count; ++layer) {
      QColor colour = theme.accent;
      colour.setAlphaF(0.3F + 0.7F * static_cast<float>(layer + 1) / static_cast<float>(count));
      layers.push_back({QStringLiteral("L%1").arg(layer), &curves->layers[static_cast<std::size_t>(layer)],
                        QPen(colour, 1.4), true});
    }
  }
  if (job > mostNames) names.append(tr("and %1 more").arg(job - mostNames));
  legend_->setText(names.isEmpty() ? QStringLiteral("<span style='color:%1'>%2</span>")
                                         .arg(theme.muted.name(),
                                              tr("Choose a job to see its curves; check others to lay them over it."))
                                   : names.join(QStringLiteral("&nbsp;&nbsp; ")));
  scroll_->setVisible(!names.isEmpty());
  legend_->setAlignment(names.isEmpty() ? Qt::AlignCenter : Qt::AlignLeft | Qt::AlignVCenter);
  loss_->setTitle(areTuned == drawn && drawn > 0 ? tr("Loss, MSE of states")
                  : areTuned > 0                 ? tr("Loss, nats or MSE")
                                                 : tr("Loss, nats"));
  // Two charts are of one job alone.
  const QString whose = job > 1 ? QStringLiteral(" · ") + desk_.shown().left(longestInTitle) : QString();
  roles_->setTitle(tr("Roles, %") + whose);
  layers_->setTitle(tr("KV by layer, %") + whose);
  loss_->setLines(loss);
  heldOut_->setLines(apart);
  kv_->setLines(kv);
  roles_->setLines(roles);
  layers_->setLines(layers);
  rate_->setLines(rate);
  speed_->setLines(speed);
  arrange();
}

}  // namespace natscope::ui
