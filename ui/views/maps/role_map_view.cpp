// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/role_map_view.h"

#include <QContextMenuEvent>
#include <QElapsedTimer>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/views/token_keys.h"

namespace natscope::ui {
namespace {

constexpr double left = 44;
constexpr double top = 20;
constexpr double right = 8;
constexpr double bottom = 26;
constexpr int comparePauseMs = 200;
constexpr int pausesOfCompare = 10;  // as long as the last one took

}  // namespace

RoleMapView::RoleMapView(SequenceModel& sequence, Selection& selection, QWidget* parent)
    : QWidget(parent), sequence_(sequence), selection_(selection) {
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Role map"));
  setAttribute(Qt::WA_OpaquePaintEvent);
  pause_.setSingleShot(true);
  pause_.setInterval(comparePauseMs);
  connect(&pause_, &QTimer::timeout, this, &RoleMapView::follow);
  connect(&sequence_, &SequenceModel::extended, this, [this] {
    if (shows() != RoleMapShows::difference) return follow();
    // What both have in common is compared already, and what comes after it changes nothing.
    const bool isWhole =
        difference_ && difference_->tokens == common_beginning(sequence_.record(), kept_->record, difference_->tokens);
    if (!isWhole && !pause_.isActive()) pause_.start();
  });
  connect(&sequence_, &SequenceModel::restarted, this, [this] {
    columns_.showWhole();
    follow();
  });
  connect(&selection_, &Selection::changed, this, qOverload<>(&QWidget::update));
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &RoleMapView::changePicture);
  follow();
}

void RoleMapView::setSearch(TokenSearch& search) {
  search_ = &search;
  connect(search_, &TokenSearch::changed, this, qOverload<>(&QWidget::update));
  connect(search_, &TokenSearch::jumped, this, [this](TokenPos position) {
    columns_.reveal(position.value);
    changePicture();
  });
}

const SequenceRecord& RoleMapView::shown() const {
  return shows() == RoleMapShows::kept ? kept_->record : sequence_.record();
}

bool RoleMapView::shownHasRoles() const {
  return shows() == RoleMapShows::kept ? has_roles(kept_->provenance.policy) : sequence_.hasRoles();
}

QString RoleMapView::shownMethod() const {
  return shows() == RoleMapShows::kept ? QString::fromStdString(method_name(kept_->provenance.policy))
                                       : sequence_.method();
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
  pause_.stop();
  difference_.reset();
  if (shows() == RoleMapShows::difference) {
    // Every entry of both runs is looked at: of long ones not so often that the window does little else.
    QElapsedTimer timer;
    timer.start();
    difference_ = held_difference(sequence_.record(), kept_->record);
    pause_.setInterval(std::max(comparePauseMs, static_cast<int>(timer.elapsed()) * pausesOfCompare));
  }
  place();
}

void RoleMapView::place() {
  columns_.setArea(area().left(), area().width());
  columns_.setTokens(shownTokens());
  changePicture();
}

void RoleMapView::changePicture() {
  picture_ = QImage();
  update();
}

void RoleMapView::resizeEvent(QResizeEvent*) { place(); }

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

void RoleMapView::wheelEvent(QWheelEvent* event) {
  columns_.zoomAt(event->position().x(), zoomOf(*event));
  changePicture();
  event->accept();
}

void RoleMapView::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton) press_.begin(event->position());
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
  if (!cell) return;
  Q_EMIT menuWanted(LayerId(cell->row / kvHeads), KvHeadId(cell->row % kvHeads),
                    TokenPos(static_cast<std::int32_t>(cell->token)), at);
}

void RoleMapView::mouseMoveEvent(QMouseEvent* event) {
  const QPointF at = event->position();
  const QPointF by = press_.move(at);
  if (press_.isDrag()) {
    columns_.pan(by.x());
    changePicture();
  } else if (const auto cell = cellAt(at)) {
    selection_.hover(TokenPos(static_cast<std::int32_t>(cell->token)));
  } else {
    selection_.hover(std::nullopt);
  }
}

void RoleMapView::mouseReleaseEvent(QMouseEvent* event) {
  const bool wasClick = press_.end() && event->button() == Qt::LeftButton;
  const auto cell = cellAt(event->position());
  if (!wasClick || !cell) return;
  const int kvHeads = shown().geometry().kv_heads;
  selection_.setLayerAndKvHead(LayerId(cell->row / kvHeads), KvHeadId(cell->row % kvHeads));
  selection_.pin(TokenPos(static_cast<std::int32_t>(cell->token)), event->modifiers().testFlag(Qt::ShiftModifier));
}

void RoleMapView::mouseDoubleClickEvent(QMouseEvent*) {
  columns_.showWhole();
  changePicture();
}

void RoleMapView::leaveEvent(QEvent*) { selection_.hover(std::nullopt); }

void RoleMapView::keyPressEvent(QKeyEvent* event) {
  const CacheGeometry& geometry = sequence_.record().geometry();
  const int rowCount = geometry.layers * geometry.kv_heads;
  const bool isRowKey = event->key() == Qt::Key_Up || event->key() == Qt::Key_Down;
  if (isRowKey && rowCount > 0) {
    const int row = selection_.layer().value * geometry.kv_heads + selection_.kvHead().value;
    const int next = std::clamp(row + (event->key() == Qt::Key_Down ? 1 : -1), 0, rowCount - 1);
    selection_.setLayerAndKvHead(LayerId(next / geometry.kv_heads), KvHeadId(next % geometry.kv_heads));
    return;
  }
  const auto now = selection_.token();
  const auto next = tokenAfterKey(event->key(), now ? now->value : -1, sequence_.size());
  if (!next) return QWidget::keyPressEvent(event);
  selection_.hover(std::nullopt);  // a cursor that rests somewhere must not hide where one went
  selection_.pin(TokenPos(static_cast<std::int32_t>(*next)));
  columns_.reveal(*next);
  changePicture();
}

}  // namespace natscope::ui
