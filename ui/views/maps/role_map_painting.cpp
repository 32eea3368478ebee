// SPDX-License-Identifier: GPL-3.0-or-later
/// How the role map is painted; where its cells are and what a hand does to them stands in role_map_view.cpp.
#include <QPainter>
#include <algorithm>
#include <array>
#include <cmath>

#include "core/cache/forced_role.h"
#include "core/export/colour_map.h"
#include "ui/figure/axis_ticks.h"
#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/fitting_words.h"
#include "ui/views/maps/role_map_view.h"
#include "ui/views/named_token.h"
#include "ui/views/role_swatches.h"

namespace natscope::ui {
namespace {

constexpr double letterPitch = 9;
constexpr double foundHeight = 4;
constexpr double roomForShare = 100;  // at the end of the legend: “36 % held”
constexpr double thinnestLayer = 5;   // that still has room for a line between it and the next

QColor heldColour(HeldBy by) {
  const Rgb colour = held_by_colour(by, ThemeSwitch::instance().theme());
  return {colour.red, colour.green, colour.blue};
}

QFont smallFont(const QPainter& painter, int pixels) {
  QFont font = painter.font();
  font.setPixelSize(pixels);
  return font;
}

}  // namespace

void RoleMapView::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  painter.fillRect(rect(), theme.panel);
  if (sequence_.isEmpty()) {
    painter.setPen(theme.muted);
    painter.drawText(rect(), Qt::AlignCenter, tr("Roles appear when a text was analysed."));
    return;
  }
  if (shows() == RoleMapShows::difference && !difference_) {
    painter.setPen(theme.muted);
    painter.drawText(rect(), Qt::AlignCenter, tr("The kept run is of a model with other layers or KV heads."));
    return;
  }
  // Every text begins with the same token.
  if (shows() == RoleMapShows::difference && difference_->tokens < 2 &&
      std::min<std::int64_t>(sequence_.size(), kept_->record.size()) > 1) {
    painter.setPen(theme.muted);
    painter.drawText(rect(), Qt::AlignCenter, tr("The kept run is of another text."));
    return;
  }
  if (shownTokens() > 0) drawPicture(painter);
  if (shows() == RoleMapShows::difference) {
    drawDifferenceSigns(painter);
  } else {
    drawLetters(painter);
  }
  if (shows() != RoleMapShows::kept) drawForced(painter);
  drawLabels(painter);
  drawFound(painter);
  drawSelection(painter);
  drawLegend(painter);
}

int RoleMapView::pictureWidth() const {
  const QRectF drawn = area();
  const double end = columns_.xOf(static_cast<double>(columns_.endToken())) - drawn.left();
  return std::max(1, static_cast<int>(std::min(drawn.width(), end)));
}

/// One pixel of the screen after another, so that it costs the same however long the text is.
QImage RoleMapView::makePicture() const {
  const std::vector<PixelTokens> pixels = pixelTokens(columns_, area().left(), pictureWidth(), shownTokens());
  if (shows() == RoleMapShows::difference) return differencePicture(pixels);
  const Theme theme = ThemeSwitch::instance().theme();
  const SequenceRecord& record = shown();
  const int kvHeads = record.geometry().kv_heads;
  std::array<QRgb, 2 * role_count> fills{};  // held, then dropped
  for (std::size_t role = 0; role < role_count; ++role) {
    for (const bool faded : {false, true})
      fills[role + (faded ? role_count : 0)] =
          (shownHasRoles() ? roleFill(static_cast<Role>(role), theme, faded) : heldFill(theme, faded)).rgb();
  }
  return meanPicture(rows(), pixels, fills, [&](int row) {
    const auto roles = record.roles(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    const auto lastQuery = record.last_query(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    return [roles, lastQuery, size = record.size()](std::size_t token) {
      return static_cast<std::size_t>(roles[token]) + (lastQuery[token] >= size ? 0 : role_count);
    };
  });
}

QImage RoleMapView::differencePicture(const std::vector<PixelTokens>& pixels) const {
  const SequenceRecord& now = sequence_.record();
  const int kvHeads = now.geometry().kv_heads;
  const std::array<QRgb, 4> fills{ThemeSwitch::instance().colours().raised.rgb(), heldColour(HeldBy::first).rgb(),
                                  heldColour(HeldBy::second).rgb(), heldColour(HeldBy::both).rgb()};
  return meanPicture(rows(), pixels, fills, [&](int row) {
    const auto mine = now.last_query(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    const auto other = kept_->record.last_query(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    return [mine, other, tokens = difference_->tokens](std::size_t token) {
      return (mine[token] >= tokens ? std::size_t{1} : 0) + (other[token] >= tokens ? std::size_t{2} : 0);
    };
  });
}

void RoleMapView::drawPicture(QPainter& painter) {
  const QRectF drawn = area();
  if (picture_.isNull()) {
    picture_ = fittedToHeight(makePicture(), drawn.height());
    ++picturesMade_;
  }
  painter.drawImage(QRectF(drawn.left(), drawn.top(), picture_.width(), drawn.height()), picture_);
  painter.setPen(ThemeSwitch::instance().colours().panel);
  const CacheGeometry& geometry = shown().geometry();
  const double layerHeight = geometry.kv_heads * rowHeight();
  if (layerHeight < thinnestLayer) return;
  for (int layer = 1; layer < geometry.layers; ++layer) {
    const double y = std::round(drawn.top() + layer * layerHeight);
    painter.drawLine(QPointF(drawn.left(), y), QPointF(drawn.left() + picture_.width(), y));
  }
}

void RoleMapView::drawDifferenceSigns(QPainter& painter) const {
  if (difference_->tokens == 0 || columns_.scale() < letterPitch || rowHeight() < letterPitch) return;
  const SequenceRecord& now = sequence_.record();
  const int kvHeads = now.geometry().kv_heads;
  painter.setFont(smallFont(painter, static_cast<int>(std::min({11.0, rowHeight(), columns_.scale()}))));
  painter.setPen(QColor(255, 255, 255));
  for (int row = 0; row < rows(); ++row) {
    for (std::int64_t token = columns_.firstToken(); token < columns_.endToken(); ++token) {
      const HeldBy by = held_by(now, kept_->record, LayerId(row / kvHeads), KvHeadId(row % kvHeads),
                                TokenPos(static_cast<std::int32_t>(token)), difference_->tokens);
      if (by == HeldBy::first) painter.drawText(rectOf({row, token}), Qt::AlignCenter, QStringLiteral("+"));
      if (by == HeldBy::second) painter.drawText(rectOf({row, token}), Qt::AlignCenter, QStringLiteral("−"));
    }
  }
}

double RoleMapView::drawDifferenceLegend(QPainter& painter, QPointF at) const {
  const std::pair<QColor, QString> parts[] = {
      {heldColour(HeldBy::both),
       tr("after token %1: both %2")
           .arg(groupedNumber(std::max<std::int64_t>(difference_->tokens - 1, 0)), groupedNumber(difference_->both))},
      {heldColour(HeldBy::first), tr("+ only now %1").arg(groupedNumber(difference_->first))},
      {heldColour(HeldBy::second), tr("− only kept %1").arg(groupedNumber(difference_->second))}};
  painter.setFont(smallFont(painter, 12));
  double x = at.x();
  for (const auto& [colour, words] : parts) {
    painter.fillRect(QRectF(x, at.y() + 2, 14, 14), colour);
    painter.setPen(ThemeSwitch::instance().colours().text);
    const double width = painter.fontMetrics().horizontalAdvance(words) + 2;
    painter.drawText(QRectF(x + 19, at.y(), width, 18), Qt::AlignLeft | Qt::AlignVCenter, words);
    x += 19 + width + 12;
  }
  return x;
}

void RoleMapView::drawLetters(QPainter& painter) const {
  if (columns_.scale() < letterPitch || rowHeight() < letterPitch || !shownHasRoles()) return;
  const SequenceRecord& record = shown();
  const int kvHeads = record.geometry().kv_heads;
  const Theme theme = ThemeSwitch::instance().theme();
  painter.setFont(smallFont(painter, static_cast<int>(std::min({11.0, rowHeight(), columns_.scale()}))));
  for (int row = 0; row < rows(); ++row) {
    const auto roles = record.roles(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    const auto lastQuery = record.last_query(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    for (std::int64_t token = columns_.firstToken(); token < columns_.endToken(); ++token) {
      const auto index = static_cast<std::size_t>(token);
      const bool isHeld = lastQuery[index] >= record.size();
      painter.setPen(isHeld ? inkOn(roleFill(roles[index], theme)) : ThemeSwitch::instance().colours().muted);
      painter.drawText(rectOf({row, token}), Qt::AlignCenter, QString(QLatin1Char(role_letter(roles[index]))));
    }
  }
}

void RoleMapView::drawForced(QPainter& painter) const {
  const QRectF drawn = area();
  const int kvHeads = shown().geometry().kv_heads;
  painter.save();
  painter.setClipRect(drawn);
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(ThemeSwitch::instance().colours().text, 1.5));
  for (const ForcedRole& role : forced_) {
    if (role.position.value >= shownTokens()) continue;
    const QRectF cell = rectOf({role.layer.value * kvHeads + role.kv_head.value, role.position.value});
    // Wide enough to be seen in a long text.
    const double more = std::max(0.0, (3 - cell.width()) / 2);
    painter.drawRect(cell.adjusted(-more + 0.75, 0.75, more - 0.75, -0.75));
  }
  painter.restore();
}

void RoleMapView::drawLabels(QPainter& painter) const {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const CacheGeometry& geometry = shown().geometry();
  painter.setFont(smallFont(painter, 11));
  painter.setPen(theme.muted);
  const QRectF drawn = area();
  const double layerHeight = rowHeight() * geometry.kv_heads;
  const int step = std::max(1, static_cast<int>(std::ceil(13 / layerHeight)));
  for (int layer = 0; layer < geometry.layers; layer += step) {
    const QRectF label(0, drawn.top() + layer * layerHeight, drawn.left() - 6, layerHeight);
    painter.drawText(QRectF(label.left(), label.center().y() - 8, label.width(), 16), Qt::AlignRight | Qt::AlignVCenter,
                     tr("L%1").arg(layer));
  }
  const int most = std::max(2, static_cast<int>(drawn.width() / 60));
  for (const std::int64_t tick :
       positionTicks(columns_.firstToken(), columns_.endToken() - columns_.firstToken(), most)) {
    const double x = columns_.xOf(static_cast<double>(tick) + 0.5);
    painter.drawLine(QPointF(x, drawn.top() - 4), QPointF(x, drawn.top() - 1));
    // The last one stands at the edge, and must not be cut there.
    const double middle = std::min(x, width() - painter.fontMetrics().horizontalAdvance(groupedNumber(tick)) / 2.0 - 1);
    painter.drawText(QRectF(middle - 30, 0, 60, drawn.top() - 5), Qt::AlignHCenter | Qt::AlignBottom,
                     groupedNumber(tick));
  }
}

/// A bar over the columns of each match, on the axis; at least two pixels wide, so that none is lost in a long text.
void RoleMapView::drawFound(QPainter& painter) const {
  if (search_ == nullptr || shows() == RoleMapShows::kept) return;  // found in the present run's text
  const QRectF drawn = area();
  const QColor colour = ThemeSwitch::instance().colours().text;
  const auto& matches = search_->matches();
  // Only those in sight, and of those that share pixels one bar: a common word is in a long text thousands of times.
  auto match = std::partition_point(matches.begin(), matches.end(), [&](const TokenSearch::Match& each) {
    return each.last.value < columns_.firstToken();
  });
  double from = 0;
  double to = 0;
  for (; match != matches.end() && match->first.value < columns_.endToken(); ++match) {
    const double start = std::max(columns_.xOf(match->first.value), drawn.left());
    const double end = std::max(start + 2, std::min(columns_.xOf(match->last.value + 1.0), drawn.right()));
    if (start > to) {
      if (to > from) painter.fillRect(QRectF(from, drawn.top() - foundHeight, to - from, foundHeight), colour);
      from = start;
    }
    to = std::max(to, end);
  }
  if (to > from) painter.fillRect(QRectF(from, drawn.top() - foundHeight, to - from, foundHeight), colour);
}

void RoleMapView::drawSelection(QPainter& painter) const {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const QRectF drawn = area();
  const int kvHeads = shown().geometry().kv_heads;
  const int row = selection_.layer().value * kvHeads + selection_.kvHead().value;
  painter.setBrush(Qt::NoBrush);
  painter.save();
  painter.setClipRect(drawn.adjusted(-1, -1, 1, 1));
  const auto outline = [&](std::int64_t token, double width) {
    painter.setPen(QPen(theme.crosshair, width));
    const QRectF column(columns_.xOf(static_cast<double>(token)), drawn.top(), std::max(2.0, columns_.scale()),
                        drawn.height() - 1);
    painter.drawRect(column);
  };
  for (const TokenPos pinned : selection_.pinned()) outline(pinned.value, 1);
  if (const auto token = selection_.token()) outline(token->value, 1.5);
  painter.setPen(QPen(theme.text, 1.5));
  painter.drawRect(QRectF(drawn.left(), drawn.top() + row * rowHeight(), drawn.width(), rowHeight()));
  painter.restore();
  // A pointer beside the row, for rows that are too thin to see a frame.
  const double y = drawn.top() + (row + 0.5) * rowHeight();
  painter.setPen(Qt::NoPen);
  painter.setBrush(theme.text);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.drawPolygon(
      QPolygonF({QPointF(drawn.left() - 6, y - 4), QPointF(drawn.left() - 1, y), QPointF(drawn.left() - 6, y + 4)}));
  painter.setRenderHint(QPainter::Antialiasing, false);
}

void RoleMapView::drawLegend(QPainter& painter) const {
  const QRectF drawn = area();
  const QRectF line(drawn.left(), drawn.bottom() + 5, width() - drawn.left(), height() - drawn.bottom() - 6);
  const auto token = selection_.token();
  double x = shows() == RoleMapShows::difference ? drawDifferenceLegend(painter, line.topLeft())
             : shownHasRoles()                   ? drawRoleSwatches(painter, line.topLeft(), true, line.right() - 4)
                               : drawHeldSwatches(painter, line.topLeft(), line.right() - roomForShare, shownMethod());
  painter.setPen(ThemeSwitch::instance().colours().muted);
  painter.setFont(smallFont(painter, 12));
  if (!token || shows() == RoleMapShows::kept) return drawMixedWords(painter, x + 10, line);
  const QString share = shareInWords(sequence_.heldShare(*token));
  x += 10;
  // Which token it is the other views say, too.
  const QStringList choices{tr("%1: held by %2 of heads").arg(namedToken(sequence_, *token), share),
                            tr("held by %1").arg(share), tr("%1 held").arg(share)};
  painter.drawText(QRectF(x, line.top(), width() - x - 6, line.height()), Qt::AlignVCenter | Qt::AlignRight,
                   longestFitting(choices, painter.fontMetrics(), width() - x - 6));
}

/// A mean of colours stands in no legend.
void RoleMapView::drawMixedWords(QPainter& painter, double x, const QRectF& line) const {
  const double tokens = 1 / columns_.scale();
  const double heads = 1 / rowHeight();
  if (tokens <= 1 && heads <= 1) return;
  const auto amount = [](double number) { return QString::number(number, 'f', number < 9.95 ? 1 : 0); };
  const QString both = tr("%1 tokens × %2 heads a pixel").arg(amount(tokens), amount(heads));
  const double room = width() - x - 6;
  const bool saysBoth = tokens > 1 && heads > 1 && painter.fontMetrics().horizontalAdvance(both) <= room;
  const QString words = saysBoth     ? both
                        : tokens > 1 ? tr("%1 tokens a pixel").arg(amount(tokens))
                                     : tr("%1 heads a pixel").arg(amount(heads));
  painter.drawText(QRectF(x, line.top(), width() - x - 6, line.height()), Qt::AlignVCenter | Qt::AlignRight,
                   painter.fontMetrics().elidedText(words, Qt::ElideRight, static_cast<int>(width() - x - 6)));
}

}  // namespace natscope::ui
