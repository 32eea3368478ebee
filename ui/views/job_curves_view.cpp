// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/job_curves_view.h"

#include <QGridLayout>
#include <QLabel>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int mostNames = 6;

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

}  // namespace

JobCurvesView::JobCurvesView(JobDesk& desk, QWidget* parent)
    : QWidget(parent),
      desk_(desk),
      legend_(new QLabel(this)),
      grid_(new QGridLayout),
      loss_(new CurveChart(
          tr("Loss"), CurveChart::Scale::tight,
          tr("Line: of the batch, before the step. Dots: held-out text. From scratch in nats a token; fine-tuning's is "
             "the squared difference to the full model's last hidden states."),
          this)),
      heldOut_(new CurveChart(tr("Held-out"), CurveChart::Scale::tight,
                              tr("Held-out text, in nats a token: what fine-tuning's own loss does not say"), this)),
      kv_(new CurveChart(tr("KV fraction"), CurveChart::Scale::percent,
                         tr("Share of the cache that is kept after a segment's last token: thick by the roles that "
                            "inference chooses, thin by those that training draws"),
                         this)),
      roles_(new CurveChart(tr("Roles"), CurveChart::Scale::percent,
                            tr("Shares of Global, Local and Sliding tokens, as inference chooses them"), this)),
      layers_(new CurveChart(tr("KV by layer"), CurveChart::Scale::percent,
                             tr("Held-out KV fraction of every layer, from the first (pale) to the last"), this)),
      rate_(new CurveChart(tr("Learning rate"), CurveChart::Scale::fromZero, tr("Of each step"), this)),
      speed_(new CurveChart(tr("Tokens/s"), CurveChart::Scale::fromZero, tr("Trained tokens a second"), this)) {
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(4, 2, 4, 2);
  layout->setSpacing(2);
  layout->addWidget(legend_);
  layout->addLayout(grid_, 1);
  legend_->setTextFormat(Qt::RichText);
  legend_->setMinimumWidth(1);
  grid_->setSpacing(2);
  connect(&desk_, &JobDesk::curvesChanged, this, &JobCurvesView::draw);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &JobCurvesView::draw);
  arrange();
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

void JobCurvesView::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  arrange();
}

void JobCurvesView::arrange() {
  const int inARow = isTuned_ ? 7 : 6;
  const int columns = height() < 260 ? inARow : (width() < 500 ? 2 : (inARow + 1) / 2);
  if (std::exchange(columns_, columns) == columns) return;
  int at = 0;
  for (CurveChart* const chart : charts()) {
    if (chart == heldOut_ && !isTuned_) continue;
    grid_->addWidget(chart, at / columns, at % columns);
    ++at;
  }
}

void JobCurvesView::draw() {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const bool isDark = ThemeSwitch::instance().theme() == Theme::dark;
  std::vector<ChartLine> loss, apart, kv, rate, speed;
  QStringList names;
  int job = 0;
  // Lines point into these until they are drawn.
  std::vector<std::shared_ptr<const JobCurves>> held;
  for (const QString& name : desk_.drawn()) {
    const auto curves = desk_.curves(name);
    const QPen pen = penOfJob(job);
    if (job < mostNames) {
      names.append(QStringLiteral("<span style='color:%1'>%2 %3</span>")
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
    loss.push_back({tr("train"), &curves->loss, pen});
    // Fine-tuning's loss is a distance of states, and no axis holds that and nats.
    const JobRow* const row = desk_.list().find(name);
    const bool isTuned = row != nullptr && row->entry.spec.kind == jobs::JobKind::finetune;
    (isTuned ? apart : loss).push_back({tr("held out"), &curves->heldOut, heldOut, true});
    kv.push_back({tr("argmax"), &curves->argmaxKv, pen});
    kv.push_back({tr("sampled"), &curves->sampledKv, thin});
    rate.push_back({QString(), &curves->learningRate, pen});
    speed.push_back({QString(), &curves->tokensPerSecond, pen});
  }
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
                                   : names.join(QStringLiteral(" &nbsp; ")) +
                                         QStringLiteral(" &nbsp; <span style='color:%1'>%2</span>")
                                             .arg(theme.muted.name(), tr("thin, other shade: held-out text")));
  if (isTuned_ == apart.empty()) {
    isTuned_ = !apart.empty();
    columns_ = 0;
    arrange();
  }
  // Empty axes would say that there is something to see.
  for (CurveChart* const chart : charts()) chart->setVisible(!names.isEmpty() && (chart != heldOut_ || isTuned_));
  legend_->setAlignment(names.isEmpty() ? Qt::AlignCenter : Qt::AlignLeft | Qt::AlignVCenter);
  loss_->setLines(loss);
  heldOut_->setLines(apart);
  kv_->setLines(kv);
  roles_->setLines(roles);
  layers_->setLines(layers);
  rate_->setLines(rate);
  speed_->setLines(speed);
}

}  // namespace natscope::ui
