// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/loss_look.h"

#include <QPainter>
#include <limits>

#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int barWidth = 80;
constexpr int barHeight = 12;
constexpr int gap = 6;
constexpr int lineHeight = 20;

LossColours themed() {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  return lossColours(ThemeSwitch::instance().theme(), theme.text, theme.muted);
}

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

QString shortest(double value) { return QString::number(value, 'g', 3); }

}  // namespace

TokenLook lookOfLoss(std::optional<double> loss) {
  return lookOfLoss(loss.value_or(unknown), {0, full_loss, ScaleKind::linear}, themed());
}

TokenLook lookOfLossDifference(std::optional<double> difference, double range) {
  return lookOfLossDifference(difference.value_or(unknown), {0, range, ScaleKind::linear}, themed());
}

LossLegend::LossLegend(QWidget* parent) : QWidget(parent) {
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, qOverload<>(&QWidget::update));
  showLosses();
}

void LossLegend::showLosses(const QString& more) {
  range_.reset();
  setWords(tr("0"), tr("≥ %1 nats").arg(shortest(full_loss)));
  setToolTip(
      tr("Each token's loss: −ln of the probability that the model gave it before it came, prompt and written text "
         "alike, whatever the temperature.\n0: it was certain; 0.7: one in 2; 2.3: one in 10; 6.9: one in 1000.\n"
         "Pale words with no mark: not known, as for the first token.") +
      (more.isEmpty() ? QString() : QStringLiteral("\n\n") + more));
}

void LossLegend::showDifferences(double range, const QString& more) {
  range_ = range;
  setWords(QStringLiteral("−") + shortest(range), tr("+%1 nats worse").arg(shortest(range)));
  setToolTip(tr("Each token's loss now, less its loss in the kept run.\nSolid mark: predicted worse now. Dotted mark: "
                "better. The colours end at 98 % of the differences.\nPale words: not compared, since one of both "
                "runs does not know it, or read something else before.") +
             (more.isEmpty() ? QString() : QStringLiteral("\n\n") + more));
}

void LossLegend::setWords(const QString& before, const QString& after) {
  if (before == before_ && after == after_) return;
  before_ = before;
  after_ = after;
  updateGeometry();
  update();
}

QSize LossLegend::sizeHint() const {
  const QFontMetrics metrics = fontMetrics();
  return {metrics.horizontalAdvance(before_) + metrics.horizontalAdvance(after_) + barWidth + 2 * gap + 2, lineHeight};
}

void LossLegend::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  painter.setPen(theme.text);
  const int words = fontMetrics().horizontalAdvance(before_);
  painter.drawText(QRect(0, 0, words + 1, height()), Qt::AlignVCenter | Qt::AlignLeft, before_);
  const QRect bar(words + gap, (height() - barHeight) / 2, barWidth, barHeight);
  painter.fillRect(bar, theme.panel);
  for (int x = 0; x < bar.width(); ++x) {
    const double level = static_cast<double>(x) / (bar.width() - 1);
    const TokenLook at =
        range_ ? lookOfLossDifference((2 * level - 1) * *range_, *range_) : lookOfLoss(level * full_loss);
    painter.fillRect(QRect(bar.left() + x, bar.top(), 1, bar.height()), at.fill);
  }
  painter.setPen(theme.border);
  painter.drawRect(bar.adjusted(0, 0, -1, -1));
  painter.setPen(theme.text);
  painter.drawText(QRect(bar.right() + 1 + gap, 0, width() - bar.right() - gap, height()),
                   Qt::AlignVCenter | Qt::AlignLeft, after_);
}

}  // namespace natscope::ui
