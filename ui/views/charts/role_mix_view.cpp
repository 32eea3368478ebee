// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/role_mix_view.h"
#include "ui/models/grouped_number.h"

#include <QPainter>
#include <algorithm>
#include <numeric>

#include "core/cache/forced_role.h"
#include "ui/theme/theme.h"
#include "ui/views/role_swatches.h"

namespace natscope::ui {
namespace {

constexpr double edge = 8;
constexpr double barHeight = 18;
constexpr double lineHeight = 46;
constexpr double leastForWords = 11;

}  // namespace

RoleMixView::RoleMixView(SequenceModel& sequence, Selection& selection, QWidget* parent)
    : QWidget(parent), sequence_(sequence), selection_(selection) {
  setAttribute(Qt::WA_OpaquePaintEvent);
  connect(&sequence_, &SequenceModel::restarted, this, qOverload<>(&QWidget::update));
  connect(&sequence_, &SequenceModel::extended, this, qOverload<>(&QWidget::update));
  connect(&selection_, &Selection::headChanged, this, qOverload<>(&QWidget::update));
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, qOverload<>(&QWidget::update));
}

RoleMixView::Counts RoleMixView::countHeads(int layer, int firstHead, int endHead) const {
  Counts counts{};
  const CacheGeometry& geometry = sequence_.record().geometry();
  if (layer < 0 || layer >= geometry.layers) return counts;
  for (int head = std::max(0, firstHead); head < std::min(endHead, geometry.kv_heads); ++head) {
    const HeadTally& tally = sequence_.record().tally(LayerId(layer), KvHeadId(head));
    for (std::size_t role = 0; role < counts.size(); ++role) counts[role] += tally.role_tokens[role];
  }
  return counts;
}

RoleMixView::Counts RoleMixView::allHeads() const {
  Counts all{};
  const CacheGeometry& geometry = sequence_.record().geometry();
  for (int layer = 0; layer < geometry.layers; ++layer) {
    const Counts counts = countHeads(layer, 0, geometry.kv_heads);
    for (std::size_t role = 0; role < all.size(); ++role) all[role] += counts[role];
  }
  return all;
}

void RoleMixView::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), ThemeSwitch::instance().colours().panel);
  if (sequence_.isEmpty() || selection_.kvHeads() == 0) return;
  if (!sequence_.hasRoles()) {
    painter.setPen(ThemeSwitch::instance().colours().muted);
    painter.drawText(rect().adjusted(8, 4, -8, -4), Qt::AlignCenter | Qt::TextWordWrap,
                     tr("%1 has no roles.").arg(sequence_.method()));
    return;
  }
  const int head = selection_.kvHead().value;
  const double pitch = std::min(lineHeight, (height() - 2 * edge) / 3.0);
  QRectF line(edge, 4, width() - 2 * edge, pitch);
  drawBar(painter, line, tr("role mix, all heads"), allHeads());
  line.translate(0, pitch);
  const int layer = selection_.layer().value;
  drawBar(painter, line, tr("layer %1").arg(layer), countHeads(layer, 0, selection_.kvHeads()));
  line.translate(0, pitch);
  drawBar(painter, line, tr("layer %1, KV head %2").arg(layer).arg(head), countHeads(layer, head, head + 1));
}

void RoleMixView::drawBar(QPainter& painter, const QRectF& line, const QString& name, const Counts& counts) const {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  QFont font = painter.font();
  font.setPixelSize(11);
  font.setBold(false);
  painter.setFont(font);
  painter.setPen(theme.muted);
  painter.drawText(QRectF(line.left(), line.top(), line.width(), 16), Qt::AlignLeft | Qt::AlignVCenter, name);
  const auto total =
      static_cast<double>(std::max<std::int64_t>(1, std::accumulate(counts.begin(), counts.end(), std::int64_t{0})));
  double x = line.left();
  for (int i = 0; i < role_count; ++i) {
    const auto role = static_cast<Role>(i);
    const double share = static_cast<double>(counts[static_cast<std::size_t>(i)]) / total;
    const QRectF part(x, line.top() + 17, share * line.width(), std::min(barHeight, line.height() - 19));
    const QColor fill = roleFill(role, ThemeSwitch::instance().theme());
    painter.fillRect(part, fill);
    painter.setPen(inkOn(fill));
    const QString words = QStringLiteral("%1 %2").arg(QLatin1Char(role_letter(role))).arg(shareInWords(share));
    const bool fits = painter.fontMetrics().horizontalAdvance(words) + 4 < part.width();
    if (part.height() < leastForWords) {
      // A low bar has none, rather than halves of them.
    } else if (fits)
      painter.drawText(part, Qt::AlignCenter, words);
    else if (part.width() > 9)
      painter.drawText(part, Qt::AlignCenter, QString(QLatin1Char(role_letter(role))));
    x += part.width();
  }
}

}  // namespace natscope::ui
