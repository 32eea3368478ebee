// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/role_map_view.h"

#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "core/cache/forced_role.h"
#include "ui/figure/axis_ticks.h"
#include "ui/figure/token_label.h"
#include "ui/theme/theme.h"
#include "ui/views/role_swatches.h"
#include "ui/views/token_keys.h"

namespace natscope::ui {
namespace {

constexpr double left = 44;
constexpr double top = 20;
constexpr double right = 8;
constexpr double bottom = 26;
constexpr double letterPitch = 9;
constexpr double wheelStep = 120;
constexpr double zoomPerStep = 1.25;
constexpr double clickSlack = 4;
constexpr double foundHeight = 4;

// Okabe–Ito colours that no role has; the signs say the same without colour.
const QColor heldByBoth(0x8a, 0x8f, 0x96);
const QColor heldNow(0x00, 0x72, 0xb2);
const QColor heldByKept(0xcc, 0x79, 0xa7);

QColor heldColour(HeldBy by, const QColor& none) {
  switch (by) {
    case HeldBy::both:
      return heldByBoth;
    case HeldBy::first:
      return heldNow;
    case HeldBy::second:
      return heldByKept;
    case HeldBy::neither:
      break;
  }
  return none;
}

QFont smallFont(const QPainter& painter, int pixels) {
  QFont font = painter.font();
  font.setPixelSize(pixels);
  return font;
}

}  // namespace

RoleMapView::RoleMapView(SequenceModel& sequence, Selection& selection, QWidget* parent)
    : QWidget(parent), sequence_(sequence), selection_(selection) {
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAttribute(Qt::WA_OpaquePaintEvent);
  connect(&sequence_, &SequenceModel::extended, this, &RoleMapView::follow);
  connect(&sequence_, &SequenceModel::restarted, this, [this] {
    columns_.showWhole();
    follow();
  });
  connect(&selection_, &Selection::changed, this, qOverload<>(&QWidget::update));
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, qOverload<>(&QWidget::update));
  follow();
}

void RoleMapView::setSearch(TokenSearch& search) {
  search_ = &search;
  connect(search_, &TokenSearch::changed, this, qOverload<>(&QWidget::update));
  connect(search_, &TokenSearch::jumped, this, [this](TokenPos position) {
    columns_.reveal(position.value);
    update();
  });
}

const SequenceRecord& RoleMapView::shown() const {
  return shows() == RoleMapShows::kept ? kept_->record : sequence_.record();
}

bool RoleMapView::shownHasRoles() const {
  return shows() == RoleMapShows::kept ? kept_->hasRoles : sequence_.hasRoles();
}

std::int64_t RoleMapView::shownTokens() const {
  if (shows() != RoleMapShows::difference) return shown().size();
  return difference_ ? difference_->tokens : 0;
}

void RoleMapView::setKept(const std::shared_ptr<const KeptRun>& kept) {
  kept_ = kept;
  follow();
}

void RoleMapView::setShows(RoleMapShows shows) {
  shows_ = shows;
  columns_.showWhole();
  follow();
}

int RoleMapView::rows() const {
  const CacheGeometry& geometry = shown().geometry();
  return geometry.layers * geometry.kv_heads;
}

QRectF RoleMapView::area() const { return QRectF(rect()).adjusted(left, top, -right, -bottom); }

double RoleMapView::rowHeight() const { return std::max(1.0, area().height()) / std::max(1, rows()); }

void RoleMapView::follow() {
  difference_.reset();
  if (shows() == RoleMapShows::difference) difference_ = held_difference(sequence_.record(), kept_->record);
  columns_.setArea(area().left(), area().width());
  columns_.setTokens(shownTokens());
  update();
}

void RoleMapView::resizeEvent(QResizeEvent*) { follow(); }

std::optional<RoleMapView::Cell> RoleMapView::cellAt(QPointF at) const {
  const auto token = columns_.tokenAt(at.x());
  const double row = std::floor((at.y() - area().top()) / rowHeight());
  if (!token || row < 0 || row >= rows()) return std::nullopt;
  return Cell{static_cast<int>(row), *token};
}

QRectF RoleMapView::rectOf(const Cell& cell) const {
  return {columns_.xOf(static_cast<double>(cell.token)), area().top() + cell.row * rowHeight(), columns_.scale(),
          rowHeight()};
}

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
  if (shows() == RoleMapShows::difference) {
    drawDifference(painter);
  } else {
    drawCells(painter);
    drawLetters(painter);
    if (shows() == RoleMapShows::now) drawForced(painter);
  }
  drawLabels(painter);
  drawFound(painter);
  drawSelection(painter);
  drawLegend(painter);
}

void RoleMapView::drawCells(QPainter& painter) const {
  const Theme theme = ThemeSwitch::instance().theme();
  const SequenceRecord& record = shown();
  const int kvHeads = record.geometry().kv_heads;
  const QRectF drawn = area();
  const int width = std::max(
      1,
      static_cast<int>(std::min(drawn.width(), columns_.xOf(static_cast<double>(columns_.endToken())) - drawn.left())));
  QRgb fills[2][role_count];
  for (int role = 0; role < role_count; ++role) {
    for (const bool faded : {false, true})
      fills[faded ? 1 : 0][role] =
          (shownHasRoles() ? roleFill(static_cast<Role>(role), theme, faded) : heldFill(theme, faded)).rgb();
  }
  // One pixel of the screen after another, so that a frame costs the same however long the text is.
  QImage image(width, rows(), QImage::Format_RGB32);
  std::vector<std::size_t> tokenOfPixel(static_cast<std::size_t>(width));
  const std::int64_t last = shownTokens() - 1;
  for (int x = 0; x < width; ++x) {
    const auto token = columns_.tokenAt(drawn.left() + x + 0.5);
    tokenOfPixel[static_cast<std::size_t>(x)] = static_cast<std::size_t>(token.value_or(last));
  }
  for (int row = 0; row < rows(); ++row) {
    const LayerId layer(row / kvHeads);
    const KvHeadId head(row % kvHeads);
    const auto roles = record.roles(layer, head);
    const auto lastQuery = record.last_query(layer, head);
    auto* const pixels = reinterpret_cast<QRgb*>(image.scanLine(row));
    for (int x = 0; x < width; ++x) {
      const std::size_t token = tokenOfPixel[static_cast<std::size_t>(x)];
      pixels[x] = fills[lastQuery[token] >= record.size() ? 0 : 1][static_cast<int>(roles[token])];
    }
  }
  painter.drawImage(QRectF(drawn.left(), drawn.top(), width, drawn.height()), image);
  painter.setPen(ThemeSwitch::instance().colours().panel);
  for (int layer = 1; layer < record.geometry().layers; ++layer) {
    const double y = std::round(drawn.top() + layer * kvHeads * rowHeight());
    painter.drawLine(QPointF(drawn.left(), y), QPointF(drawn.left() + width, y));
  }
}

void RoleMapView::drawDifference(QPainter& painter) const {
  if (difference_->tokens == 0) return;
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const SequenceRecord& now = sequence_.record();
  const int kvHeads = now.geometry().kv_heads;
  const QRectF drawn = area();
  const int width = std::max(
      1,
      static_cast<int>(std::min(drawn.width(), columns_.xOf(static_cast<double>(columns_.endToken())) - drawn.left())));
  QImage image(width, rows(), QImage::Format_RGB32);
  for (int x = 0; x < width; ++x) {
    const auto token = columns_.tokenAt(drawn.left() + x + 0.5);
    const TokenPos position(static_cast<std::int32_t>(token.value_or(shownTokens() - 1)));
    for (int row = 0; row < rows(); ++row) {
      const HeldBy by =
          held_by(now, kept_->record, LayerId(row / kvHeads), KvHeadId(row % kvHeads), position, difference_->tokens);
      image.setPixelColor(x, row, heldColour(by, theme.raised));
    }
  }
  painter.drawImage(QRectF(drawn.left(), drawn.top(), width, drawn.height()), image);
  painter.setPen(theme.panel);
  for (int layer = 1; layer < now.geometry().layers; ++layer) {
    const double y = std::round(drawn.top() + layer * kvHeads * rowHeight());
    painter.drawLine(QPointF(drawn.left(), y), QPointF(drawn.left() + width, y));
  }
  if (columns_.scale() < letterPitch || rowHeight() < letterPitch) return;
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
  const std::pair<QColor, QString> parts[] = {{heldByBoth, tr("both %1").arg(difference_->both)},
                                              {heldNow, tr("+ only now %1").arg(difference_->first)},
                                              {heldByKept, tr("− only kept %1").arg(difference_->second)}};
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
  painter.setFont(smallFont(painter, static_cast<int>(std::min({11.0, rowHeight(), columns_.scale()}))));
  for (int row = 0; row < rows(); ++row) {
    const auto roles = record.roles(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    const auto lastQuery = record.last_query(LayerId(row / kvHeads), KvHeadId(row % kvHeads));
    for (std::int64_t token = columns_.firstToken(); token < columns_.endToken(); ++token) {
      const auto index = static_cast<std::size_t>(token);
      const bool isHeld = lastQuery[index] >= record.size();
      painter.setPen(isHeld ? QColor(0, 0, 0) : ThemeSwitch::instance().colours().muted);
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
    const QRectF label(0, drawn.top() + layer * layerHeight, left - 6, layerHeight);
    painter.drawText(QRectF(label.left(), label.center().y() - 8, label.width(), 16), Qt::AlignRight | Qt::AlignVCenter,
                     tr("L%1").arg(layer));
  }
  const int most = std::max(2, static_cast<int>(drawn.width() / 60));
  for (const std::int64_t tick :
       positionTicks(columns_.firstToken(), columns_.endToken() - columns_.firstToken(), most)) {
    const double x = columns_.xOf(static_cast<double>(tick) + 0.5);
    painter.drawLine(QPointF(x, drawn.top() - 4), QPointF(x, drawn.top() - 1));
    painter.drawText(QRectF(x - 30, 0, 60, drawn.top() - 5), Qt::AlignHCenter | Qt::AlignBottom, QString::number(tick));
  }
}

/// A bar over the columns of each match, on the axis; at least two pixels wide, so that none is lost in a long text.
void RoleMapView::drawFound(QPainter& painter) const {
  if (search_ == nullptr || shows() == RoleMapShows::kept) return;  // found in the present run's text
  const QRectF drawn = area();
  for (const TokenSearch::Match& match : search_->matches()) {
    const double from = columns_.xOf(match.first.value);
    const double to = columns_.xOf(match.last.value + 1.0);
    if (to < drawn.left() || from > drawn.right()) continue;
    const double start = std::max(from, drawn.left());
    painter.fillRect(
        QRectF(start, drawn.top() - foundHeight, std::max(2.0, std::min(to, drawn.right()) - start), foundHeight),
        ThemeSwitch::instance().colours().text);
  }
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
  painter.drawPolygon(QPolygonF({QPointF(left - 6, y - 4), QPointF(left - 1, y), QPointF(left - 6, y + 4)}));
  painter.setRenderHint(QPainter::Antialiasing, false);
}

void RoleMapView::drawLegend(QPainter& painter) const {
  const QRectF line(left, height() - bottom + 5, width() - left, bottom - 6);
  const auto token = selection_.token();
  double x = shows() == RoleMapShows::difference ? drawDifferenceLegend(painter, line.topLeft())
             : shownHasRoles()                   ? drawRoleSwatches(painter, line.topLeft(), true)
                                                 : drawHeldSwatches(painter, line.topLeft());
  painter.setPen(ThemeSwitch::instance().colours().muted);
  painter.setFont(smallFont(painter, 12));
  if (!token || shows() == RoleMapShows::kept) return;
  const QString share = QString::number(100 * sequence_.heldShare(*token), 'f', 0) + QStringLiteral(" %");
  QString words =
      tr("“%1” · %2: held by %3 of heads").arg(tokenLabel(sequence_.name(*token))).arg(token->value).arg(share);
  x += 10;
  // Which token it is the other views say, too.
  if (painter.fontMetrics().horizontalAdvance(words) > width() - x - 6) words = tr("held by %1").arg(share);
  painter.drawText(QRectF(x, line.top(), width() - x - 6, line.height()), Qt::AlignVCenter | Qt::AlignRight,
                   painter.fontMetrics().elidedText(words, Qt::ElideRight, static_cast<int>(width() - x - 6)));
}

void RoleMapView::wheelEvent(QWheelEvent* event) {
  columns_.zoomAt(event->position().x(), std::pow(zoomPerStep, event->angleDelta().y() / wheelStep));
  update();
  event->accept();
}

void RoleMapView::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  pressedAt_ = lastAt_ = event->position();
  isPressed_ = true;
  hasMoved_ = false;
}

void RoleMapView::setForced(std::vector<ForcedRole> forced) {
  forced_ = std::move(forced);
  update();
}

void RoleMapView::contextMenuEvent(QContextMenuEvent* event) {
  const int kvHeads = shown().geometry().kv_heads;
  std::optional<Cell> cell = cellAt(event->pos());
  QPoint at = event->globalPos();
  if (event->reason() == QContextMenuEvent::Keyboard) {
    // The menu key means what is chosen, wherever the cursor is.
    cell.reset();
    if (const auto token = selection_.token(); token && token->value < sequence_.size())
      cell = Cell{selection_.layer().value * kvHeads + selection_.kvHead().value, token->value};
    if (cell) at = mapToGlobal(rectOf(*cell).bottomRight().toPoint());
  }
  if (!cell || shows() != RoleMapShows::now) return;
  Q_EMIT menuWanted(LayerId(cell->row / kvHeads), KvHeadId(cell->row % kvHeads),
                    TokenPos(static_cast<std::int32_t>(cell->token)), at);
}

void RoleMapView::mouseMoveEvent(QMouseEvent* event) {
  const QPointF at = event->position();
  hasMoved_ = hasMoved_ || (isPressed_ && (at - pressedAt_).manhattanLength() > clickSlack);
  if (isPressed_ && hasMoved_) {
    columns_.pan(at.x() - lastAt_.x());
    update();
  } else if (const auto cell = cellAt(at)) {
    selection_.hover(TokenPos(static_cast<std::int32_t>(cell->token)));
  } else {
    selection_.hover(std::nullopt);
  }
  lastAt_ = at;
}

void RoleMapView::mouseReleaseEvent(QMouseEvent* event) {
  const bool wasClick = isPressed_ && !hasMoved_ && event->button() == Qt::LeftButton;
  isPressed_ = false;
  const auto cell = cellAt(event->position());
  if (!wasClick || !cell) return;
  const int kvHeads = shown().geometry().kv_heads;
  selection_.setLayer(LayerId(cell->row / kvHeads));
  selection_.setKvHead(KvHeadId(cell->row % kvHeads));
  selection_.pin(TokenPos(static_cast<std::int32_t>(cell->token)), event->modifiers().testFlag(Qt::ShiftModifier));
}

void RoleMapView::mouseDoubleClickEvent(QMouseEvent*) {
  columns_.showWhole();
  update();
}

void RoleMapView::leaveEvent(QEvent*) { selection_.hover(std::nullopt); }

void RoleMapView::keyPressEvent(QKeyEvent* event) {
  const CacheGeometry& geometry = sequence_.record().geometry();
  const int rowCount = geometry.layers * geometry.kv_heads;
  const bool isRowKey = event->key() == Qt::Key_Up || event->key() == Qt::Key_Down;
  if (isRowKey && rowCount > 0) {
    const int row = selection_.layer().value * geometry.kv_heads + selection_.kvHead().value;
    const int next = std::clamp(row + (event->key() == Qt::Key_Down ? 1 : -1), 0, rowCount - 1);
    selection_.setLayer(LayerId(next / geometry.kv_heads));
    selection_.setKvHead(KvHeadId(next % geometry.kv_heads));
    return;
  }
  const auto now = selection_.token();
  const auto next = tokenAfterKey(event->key(), now ? now->value : -1, sequence_.size());
  if (!next) return QWidget::keyPressEvent(event);
  selection_.hover(std::nullopt);  // a cursor that rests somewhere must not hide where one went
  selection_.pin(TokenPos(static_cast<std::int32_t>(*next)));
  columns_.reveal(*next);
  update();
}

}  // namespace natscope::ui
