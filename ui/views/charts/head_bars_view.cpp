// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/head_bars_view.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/fitting_words.h"

namespace natscope::ui {
namespace {

constexpr double left = 30;
constexpr double top = 22;
constexpr double edge = 8;
constexpr double letterHeight = 12;

}  // namespace

HeadBarsView::HeadBarsView(SequenceModel& sequence, Selection& selection, QWidget* parent)
    : QWidget(parent), sequence_(sequence), selection_(selection) {
  setAttribute(Qt::WA_OpaquePaintEvent);
  connect(&sequence_, &SequenceModel::restarted, this, qOverload<>(&QWidget::update));
  connect(&sequence_, &SequenceModel::extended, this, qOverload<>(&QWidget::update));
  connect(&selection_, &Selection::changed, this, qOverload<>(&QWidget::update));
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, qOverload<>(&QWidget::update));
}

QRectF HeadBarsView::area() const { return QRectF(rect()).adjusted(left, top, -edge, -edge); }

QRectF HeadBarsView::rectOf(const Head& head) const {
  const CacheGeometry& geometry = sequence_.record().geometry();
  const double width = area().width() / std::max(1, geometry.kv_heads);
  const double height = area().height() / std::max(1, geometry.layers);
  const double gap = std::min({2.0, width * 0.15, height * 0.15});
  return {area().left() + head.kvHead * width, area().top() + head.layer * height, width - gap, height - gap};
}

std::optional<HeadBarsView::Head> HeadBarsView::headAt(QPointF at) const {
  const CacheGeometry& geometry = sequence_.record().geometry();
  if (geometry.layers == 0 || !area().contains(at)) return std::nullopt;
  const int layer = static_cast<int>((at.y() - area().top()) / area().height() * geometry.layers);
  const int head = static_cast<int>((at.x() - area().left()) / area().width() * geometry.kv_heads);
  return Head{std::min(layer, geometry.layers - 1), std::min(head, geometry.kv_heads - 1)};
}

const TokenFrame* HeadBarsView::shownFrame() const {
  const auto frames = sequence_.record().frames();
  if (frames.empty()) return nullptr;
  const auto token = selection_.token();
  const std::size_t last = frames.size() - 1;
  return &frames[token ? std::min(last, static_cast<std::size_t>(token->value)) : last];
}

double HeadBarsView::shareOf(const Head& head) const {
  const TokenFrame* const frame = shownFrame();
  const auto index = static_cast<std::size_t>(head.layer * sequence_.record().geometry().kv_heads + head.kvHead);
  if (frame == nullptr || index >= frame->entries.size()) return 0;
  return static_cast<double>(frame->entries[index]) / (frame->position.value + 1);
}

/// In the bar where it has room there, else at the right; where it has no room there either, on a ground of its own, so
/// that no digit lies half on the bar.
void HeadBarsView::drawShare(QPainter& painter, const QRectF& cell, const QRectF& filled, double share) const {
  constexpr double margin = 4;
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const QString words = shareInWords(share);
  const double room = QFontMetricsF(painter.font()).horizontalAdvance(words) + 2 * margin;
  const bool isInBar = room <= filled.width();
  const bool isOnBoth = !isInBar && room > cell.width() - filled.width();
  if (isOnBoth)
    painter.fillRect(QRectF(cell.right() - room + margin / 2, cell.top(), room - margin / 2, cell.height()),
                     theme.raised);
  painter.setPen(isInBar ? theme.onAccent : theme.text);
  painter.drawText(cell.adjusted(margin, 0, -margin, 0), (isInBar ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter,
                   words);
}

void HeadBarsView::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  painter.fillRect(rect(), theme.panel);
  const TokenFrame* const frame = shownFrame();
  if (frame == nullptr) return;
  const CacheGeometry& geometry = sequence_.record().geometry();
  QFont font = painter.font();
  font.setPixelSize(11);
  painter.setFont(font);
  painter.setPen(theme.muted);
  const QString position = groupedNumber(frame->position.value);
  painter.drawText(
      QRectF(edge, 3, width() - edge, 16), Qt::AlignLeft | Qt::AlignVCenter,
      longestFitting({tr("held by layer and KV head, after token %1").arg(position),
                      tr("held by head, after token %1").arg(position), tr("after token %1").arg(position)},
                     painter.fontMetrics(), width() - 2 * edge));
  const double rowHeight = area().height() / geometry.layers;
  const int step = std::max(1, static_cast<int>(std::ceil(letterHeight / rowHeight)));
  for (int layer = 0; layer < geometry.layers; ++layer) {
    for (int head = 0; head < geometry.kv_heads; ++head) {
      const QRectF cell = rectOf({layer, head});
      const double share = std::clamp(shareOf({layer, head}), 0.0, 1.0);
      painter.fillRect(cell, theme.raised);
      QColor bar = theme.accent;
      bar.setAlphaF(0.75F);
      const QRectF filled(cell.topLeft(), QSizeF(cell.width() * share, cell.height()));
      painter.fillRect(filled, bar);
      if (cell.height() >= letterHeight && cell.width() >= 30) drawShare(painter, cell, filled, share);
    }
    if (layer % step != 0) continue;
    painter.setPen(theme.muted);
    // As high as its letters, in the middle of its row: thin rows must not cut them.
    const double middle = area().top() + (layer + 0.5) * rowHeight;
    painter.drawText(QRectF(0, middle - letterHeight, left - 5, 2 * letterHeight), Qt::AlignRight | Qt::AlignVCenter,
                     tr("L%1").arg(layer));
  }
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(theme.text, 1.5));
  painter.drawRect(rectOf({selection_.layer().value, selection_.kvHead().value}));
}

void HeadBarsView::mousePressEvent(QMouseEvent* event) {
  const auto head = headAt(event->position());
  if (!head) return;
  selection_.setLayerAndKvHead(LayerId(head->layer), KvHeadId(head->kvHead));
}

bool HeadBarsView::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* const help = static_cast<QHelpEvent*>(event);
  const auto head = headAt(help->pos());
  if (head)
    QToolTip::showText(help->globalPos(),
                       tr("layer %1, KV head %2: %3 of tokens held")
                           .arg(head->layer)
                           .arg(head->kvHead)
                           .arg(percentText(shareOf(*head))),
                       this);
  else
    QToolTip::hideText();
  return true;
}

}  // namespace natscope::ui
