// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/attention_map_view.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/maps/map_marks.h"
#include "ui/views/named_token.h"

namespace natscope::ui {
namespace {

/// Of a frame's 16.7 ms, what making new pictures may take; the rest is put off and coarser ones are shown meanwhile.
constexpr double picturesBudgetMs = 5;
constexpr int calmMs = 500;
constexpr int stillMs = 120;
constexpr double minimapSide = 92;
constexpr int lowView = 340;
constexpr double widestCell = 2;
constexpr double legendHeight = 104;  // the least that drawMapLegend needs

}  // namespace

AttentionMapView::AttentionMapView(TileSource& tiles, SequenceModel& sequence, Selection& selection, QWidget* parent)
    : QWidget(parent), tiles_(tiles), sequence_(sequence), selection_(selection) {
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Attention map"));
  setAttribute(Qt::WA_OpaquePaintEvent);
  style_.theme = ThemeSwitch::instance().theme();
  calm_.setSingleShot(true);
  calm_.setInterval(calmMs);
  connect(&calm_, &QTimer::timeout, this, [this] {
    isRangeOfThis_ = false;
    updateRange();
    update();
  });
  still_.setSingleShot(true);
  still_.setInterval(stillMs);
  connect(&still_, &QTimer::timeout, this, &AttentionMapView::fitToView);
  connect(&tiles_, &TileSource::arrived, this, [this](const TileKey& key) {
    if (key.layer != selection_.layer() || key.head != selection_.head()) return;
    updateRange();
    update();
  });
  connect(&tiles_, &TileSource::waits, this, qOverload<>(&QWidget::update));
  connect(&tiles_, &TileSource::reset, this, [this] {
    images_.clear();
    hadFirstPicture_ = false;
    isRangeOfThis_ = false;
    fittedTo_.reset();
    updateTokens();
    transform_.showWhole();
  });
  connect(&sequence_, &SequenceModel::extended, this, &AttentionMapView::updateTokens);
  connect(&sequence_, &SequenceModel::restarted, this, &AttentionMapView::updateTokens);
  connect(&selection_, &Selection::headChanged, this, [this] {
    tiles_.dropPending();
    isRangeOfThis_ = false;
    fittedTo_.reset();
    updateRange();
  });
  connect(&selection_, &Selection::changed, this, qOverload<>(&QWidget::update));
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, [this] {
    style_.theme = ThemeSwitch::instance().theme();
    updateRange();
    update();
  });
  updateTokens();
}

void AttentionMapView::setMapStyle(const MapStyle& style) {
  if (style == style_) return;
  style_ = style;
  isRangeOfThis_ = false;
  fittedTo_.reset();
  updateRange();
  update();
}

TileKey AttentionMapView::keyOf(int zoom, std::int64_t row, std::int64_t column) const {
  return {selection_.layer(), selection_.head(), zoom, static_cast<std::int32_t>(row),
          static_cast<std::int32_t>(column)};
}

void AttentionMapView::updateTokens() {
  transform_.setTokens(tiles_.tokens());
  updateRange();
  update();
}

bool AttentionMapView::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* const help = static_cast<QHelpEvent*>(event);
    if (legend_.contains(help->pos())) {
      QToolTip::showText(help->globalPos(), rangeWords(), this, legend_.toAlignedRect());
    } else {
      QToolTip::hideText();
    }
    return true;
  }
  return QWidget::event(event);
}

void AttentionMapView::showWhole() {
  transform_.showWhole();
  update();
}

void AttentionMapView::showKey(TokenPos key) {
  const bool isInSight = key.value >= transform_.firstKey() && key.value < transform_.endKey();
  if (isInSight && key.value < transform_.endQuery()) return;
  // Before itself nobody sees a key: there the map is empty.
  const std::int64_t half = (transform_.endQuery() - transform_.firstQuery()) / 2;
  const std::int64_t query = std::max(transform_.firstQuery() + half, key.value + half);
  transform_.centreOn({query, isInSight ? (transform_.firstKey() + transform_.endKey()) / 2 : key.value});
  tiles_.dropPending();
  update();
}

void AttentionMapView::zoomBy(double factor) {
  transform_.zoomAt(transform_.viewport().center(), factor);
  tiles_.dropPending();
  update();
}

void AttentionMapView::place() {
  const double above = height() < lowView ? mapTopLow : mapTop;
  const QRectF area = QRectF(rect()).adjusted(mapLeft, above, -mapRight, -mapBottom);
  // A square as high as a low view would leave most of its width empty: cells are then wider than they are high.
  const double stretch = height() < lowView ? std::clamp(area.width() / area.height(), 1.0, widestCell) : 1;
  transform_.setViewport(area.isValid() ? area : QRectF(mapLeft, above, 1, 1), area.isValid() ? stretch : 1);
  // In a low view the legend, which explains the picture, goes before the minimap, which repeats it.
  minimap_ = QRectF(width() - mapRight + 12, above, minimapSide, minimapSide);
  double top = minimap_.bottom() + 16;
  if (top + legendHeight > height()) {
    minimap_ = QRectF();
    top = above;
  }
  legend_ = QRectF(width() - mapRight + 12, top, minimapSide, std::max(40.0, height() - top - mapBottom));
}

void AttentionMapView::resizeEvent(QResizeEvent*) { place(); }

void AttentionMapView::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const ThemeColours& theme = colours(style_.theme);
  painter.fillRect(rect(), theme.panel);
  if (tiles_.tokens() == 0) {
    painter.setPen(theme.muted);
    painter.drawText(rect(), Qt::AlignCenter, tr("The attention map appears when a text was analysed."));
    return;
  }
  if (const QString why = tiles_.whyNoMap(selection_.layer(), selection_.head()); !why.isEmpty()) {
    painter.setPen(theme.muted);
    painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, why);
    return;
  }
  images_.beginFrame(picturesBudgetMs);
  hasBlank_ = false;
  drawMap(painter);
  if (hasBlank_) drawWhyBlank(painter);
  drawMarks(painter);
  if (!minimap_.isEmpty()) drawMinimap(painter);
  drawMapLegend(painter, legend_, style_, range_, rangeSide());
  drawReadout(painter);
  if (images_.hasPutOff()) update();
  // Colours that follow each step of a wheel would hide what it does.
  const MapWindow before = std::exchange(drawn_, inView());
  if (fitsView_ && isSharp_ && fittedTo_ != drawn_ && (drawn_ != before || !still_.isActive())) still_.start();
  if (isSharp_ && !hadFirstPicture_) {
    hadFirstPicture_ = true;
    Q_EMIT firstPicture();
  }
}

void AttentionMapView::drawMap(QPainter& painter) {
  painter.save();
  const QRectF area = transform_.viewport();
  painter.setClipRect(area);
  isSharp_ = true;
  const int zoom = transform_.tileZoom(devicePixelRatioF());
  const std::int64_t side = std::int64_t{tile_cells} << zoom;
  const int wholeZoom = overview_zoom(tiles_.tokens());
  // Asked for first, and so served last: what is on screen comes before it, except where it is the same tile.
  if (wholeZoom != zoom) (void)tiles_.tile(keyOf(wholeZoom, 0, 0));
  for (std::int64_t row = transform_.firstQuery() / side; row * side < transform_.endQuery(); ++row) {
    for (std::int64_t column = transform_.firstKey() / side; column * side < transform_.endKey() && column <= row;
         ++column) {
      drawTile(painter, zoom, row, column);
    }
  }
  painter.restore();
}

void AttentionMapView::drawTile(QPainter& painter, int zoom, std::int64_t row, std::int64_t column) {
  const std::int64_t side = std::int64_t{tile_cells} << zoom;
  const auto edgeX = [&](std::int64_t key) {
    return std::round(transform_.xOf(static_cast<double>(std::min(key, transform_.tokens()))));
  };
  const auto edgeY = [&](std::int64_t query) {
    return std::round(transform_.yOf(static_cast<double>(std::min(query, transform_.tokens()))));
  };
  const QRectF target(QPointF(edgeX(column * side), edgeY(row * side)),
                      QPointF(edgeX((column + 1) * side), edgeY((row + 1) * side)));
  const TileKey key = keyOf(zoom, row, column);
  const auto tile = tiles_.tile(key);
  const QImage* const image = tile ? images_.image(key, tile) : nullptr;
  if (image == nullptr) {
    isSharp_ = false;
    if (drawCoarser(painter, target, zoom, row, column)) return;
    // A map smaller than a tile: what covered it when it was larger is finer than what is asked for.
    const int wholeZoom = overview_zoom(tiles_.tokens());
    if (zoom > wholeZoom && tiles_.cached(keyOf(wholeZoom, 0, 0))) return drawTile(painter, wholeZoom, 0, 0);
    painter.fillRect(target, colours(style_.theme).raised);
    hasBlank_ = true;
    return;
  }
  // A tile of an earlier, shorter text has fewer cells: they stay where they are.
  const std::int64_t cell = std::int64_t{1} << zoom;
  const QRectF drawn(target.topLeft(),
                     QPointF(edgeX(column * side + tile->columns * cell), edgeY(row * side + tile->rows * cell)));
  if (drawn != target) painter.fillRect(target, colours(style_.theme).panel);
  drawHatching(painter, drawn);
  painter.drawImage(drawn, *image);
}

/// Under the tiles, where they are transparent. An image and no brush: Qt hands large brush fills to other threads and
/// waits for them, which on a busy machine takes longer than the whole frame.
void AttentionMapView::drawHatching(QPainter& painter, const QRectF& area) {
  const QRect part = (area & transform_.viewport()).toAlignedRect();
  if (part.isEmpty()) return;
  if (hatching_.size() != size() || hatchingTheme_ != style_.theme) {
    hatching_ = QImage(size(), QImage::Format_RGB32);
    QPainter(&hatching_).fillRect(hatching_.rect(), maskedBrush(style_.theme));
    hatchingTheme_ = style_.theme;
  }
  painter.drawImage(part.topLeft(), hatching_, part);
}

bool AttentionMapView::drawCoarser(QPainter& painter, const QRectF& target, int zoom, std::int64_t row,
                                   std::int64_t column) {
  for (int coarser = zoom + 1; coarser <= overview_zoom(tiles_.tokens()); ++coarser) {
    const int shift = coarser - zoom;
    const TileKey key = keyOf(coarser, row >> shift, column >> shift);
    const auto tile = tiles_.cached(key);
    const QImage* const image = tile ? images_.image(key, tile) : nullptr;
    if (image == nullptr) continue;
    const double part = static_cast<double>(tile_cells) / static_cast<double>(std::int64_t{1} << shift);
    const std::int64_t within = (std::int64_t{1} << shift) - 1;
    const QRectF source(static_cast<double>(column & within) * part, static_cast<double>(row & within) * part,
                        target.width() / transform_.scaleAcross() / static_cast<double>(std::int64_t{1} << coarser),
                        target.height() / transform_.scale() / static_cast<double>(std::int64_t{1} << coarser));
    drawHatching(painter, target);
    painter.drawImage(target, *image, source);
    return true;
  }
  return false;
}

void AttentionMapView::drawWhyBlank(QPainter& painter) {
  const QString why = tiles_.whyNoTiles();
  if (why.isEmpty()) return;
  painter.setPen(colours(style_.theme).text);
  painter.drawText(transform_.viewport().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, why);
}

void AttentionMapView::drawMarks(QPainter& painter) {
  painter.save();
  painter.setClipRect(transform_.viewport());
  drawCrosshair(painter, transform_, selection_);
  painter.restore();
  drawMapTicks(painter, transform_, sequence_, selection_);
}

void AttentionMapView::drawMinimap(QPainter& painter) {
  const ThemeColours& theme = colours(style_.theme);
  painter.fillRect(minimap_, theme.panel);
  if (const auto whole = overview()) {
    if (const QImage* const image = images_.image(whole->key, whole)) {
      const double cell = minimap_.width() / static_cast<double>(transform_.tokens()) *
                          static_cast<double>(std::int64_t{1} << whole->key.zoom);
      const QRectF drawn(minimap_.topLeft(), QSizeF(std::min(minimap_.width(), cell * whole->columns),
                                                    std::min(minimap_.height(), cell * whole->rows)));
      painter.save();
      // Cells that are larger than a pixel have edges, as they have in the map.
      painter.setRenderHint(QPainter::SmoothPixmapTransform, drawn.width() * devicePixelRatioF() < image->width());
      painter.fillRect(drawn, toQColor(masked_colour(style_.theme)));
      painter.drawImage(drawn, *image);
      painter.restore();
    }
  }
  painter.setBrush(Qt::NoBrush);
  painter.setPen(theme.border);
  painter.drawRect(minimap_);
  if (transform_.isWhole()) return;
  const double perCell = minimap_.width() / static_cast<double>(transform_.tokens());
  const QRectF view(minimap_.left() + static_cast<double>(transform_.firstKey()) * perCell,
                    minimap_.top() + static_cast<double>(transform_.firstQuery()) * perCell,
                    std::max(3.0, static_cast<double>(transform_.endKey() - transform_.firstKey()) * perCell),
                    std::max(3.0, static_cast<double>(transform_.endQuery() - transform_.firstQuery()) * perCell));
  painter.setPen(QPen(theme.crosshair, 1.5));
  painter.drawRect(view & minimap_);
}

void AttentionMapView::drawReadout(QPainter& painter) {
  // In a low view the legend reaches down beside the words.
  const double right = legend_.height() < legendHeight ? mapRight : 8;
  const QRectF line(mapLeft, height() - mapBottom + 3, width() - mapLeft - right, mapBottom - 4);
  const auto token = selection_.token();
  const auto query = selection_.query();
  const ThemeColours& theme = colours(style_.theme);
  painter.setPen(token && query ? theme.text : theme.muted);
  const QString words = token && query ? describeCell({query->value, token->value})
                                       : tr("Queries down, keys across. Wheel zooms, drag pans, click pins.");
  painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter,
                   painter.fontMetrics().elidedText(words, Qt::ElideRight, static_cast<int>(line.width())));
}

QString AttentionMapView::describeCell(const MapCell& cell) const {
  const auto named = [this](std::int64_t position) {
    return namedToken(sequence_, TokenPos(static_cast<std::int32_t>(position)));
  };
  const QString pair = tr("query %1  →  key %2:  ").arg(named(cell.query), named(cell.key));
  if (cell.key > cell.query) return pair + tr("in the future");
  const auto lastQuery = sequence_.lastQuery(selection_.layer(), selection_.kvHead());
  const auto index = static_cast<std::size_t>(cell.key);
  if (cell.key != cell.query && index < lastQuery.size() && cell.query > lastQuery[index]) {
    return pair + tr("masked, dropped after %1").arg(groupedNumber(lastQuery[index]));
  }
  for (int zoom = 0; zoom <= overview_zoom(tiles_.tokens()); ++zoom) {
    const std::int64_t side = std::int64_t{tile_cells} << zoom;
    const auto tile = tiles_.cached(keyOf(zoom, cell.query / side, cell.key / side));
    const std::int64_t row = (cell.query % side) >> zoom;
    const std::int64_t column = (cell.key % side) >> zoom;
    if (!tile || row >= tile->rows || column >= tile->columns) continue;
    const auto at = static_cast<std::size_t>(row * tile->columns + column);
    if (zoom == 0) return pair + tr("weight %1").arg(static_cast<double>(tile->maximum[at]), 0, 'g', 4);
    return pair + tr("of %1 × %1 cells here: largest %2, mean %3")
                      .arg(1 << zoom)
                      .arg(static_cast<double>(tile->maximum[at]), 0, 'g', 3)
                      .arg(static_cast<double>(tile->mean[at]), 0, 'g', 3);
  }
  return pair + tr("seen");
}

void AttentionMapView::goToMinimap(QPointF at) {
  const double perCell = minimap_.width() / static_cast<double>(std::max<std::int64_t>(1, transform_.tokens()));
  transform_.centreOn({static_cast<std::int64_t>((at.y() - minimap_.top()) / perCell),
                       static_cast<std::int64_t>((at.x() - minimap_.left()) / perCell)});
  tiles_.dropPending();
  update();
}

void AttentionMapView::wheelEvent(QWheelEvent* event) {
  transform_.zoomAt(event->position(), zoomOf(*event));
  hoverAt(event->position());
  tiles_.dropPending();
  update();
  event->accept();
}

void AttentionMapView::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  const QPointF at = event->position();
  press_.begin(at);
  isOnMinimap_ = minimap_.contains(at);
  if (isOnMinimap_) goToMinimap(at);
}

void AttentionMapView::mouseMoveEvent(QMouseEvent* event) {
  const QPointF at = event->position();
  const QPointF by = press_.move(at);
  if (press_.isHeld() && isOnMinimap_) {
    goToMinimap(at);
  } else if (press_.isDrag()) {
    setCursor(Qt::ClosedHandCursor);
    transform_.pan(by);
    tiles_.dropPending();
    update();
  } else {
    hoverAt(at);
  }
}

void AttentionMapView::hoverAt(QPointF at) {
  const auto cell = transform_.cellAt(at);
  if (!cell) return selection_.hover(std::nullopt);
  selection_.hover(TokenPos(static_cast<std::int32_t>(cell->key)), TokenPos(static_cast<std::int32_t>(cell->query)));
}

void AttentionMapView::mouseReleaseEvent(QMouseEvent* event) {
  const bool isClick = press_.end() && !isOnMinimap_;
  unsetCursor();
  if (event->button() != Qt::LeftButton || !isClick) return;
  const auto cell = transform_.cellAt(event->position());
  if (!cell) return;
  selection_.pin(TokenPos(static_cast<std::int32_t>(cell->key)), event->modifiers().testFlag(Qt::ShiftModifier));
  selection_.pinQuery(TokenPos(static_cast<std::int32_t>(cell->query)));
}

void AttentionMapView::mouseDoubleClickEvent(QMouseEvent* event) {
  if (transform_.viewport().contains(event->position())) showWhole();
}

void AttentionMapView::movePin(int queries, int keys) {
  if (transform_.tokens() == 0) return;
  selection_.hover(std::nullopt);  // a cursor that rests somewhere must not hide where one went
  const auto token = selection_.token();
  const auto query = selection_.query();
  const bool isPinned = token && query;
  MapCell cell{query ? query->value : (transform_.firstQuery() + transform_.endQuery()) / 2,
               token ? token->value : (transform_.firstKey() + transform_.endKey()) / 2};
  // Of a query alone or a key alone the other one is where there is something to see.
  if (!token) cell.key = std::min(cell.key, cell.query);
  if (!query) cell.query = std::max(cell.query, cell.key);
  const std::int64_t step = isPinned ? std::int64_t{1} << transform_.tileZoom() : 0;
  const std::int64_t last = transform_.tokens() - 1;
  cell = {std::clamp(cell.query + queries * step, std::int64_t{0}, last),
          std::clamp(cell.key + keys * step, std::int64_t{0}, last)};
  const bool isInSight = cell.query >= transform_.firstQuery() && cell.query < transform_.endQuery() &&
                         cell.key >= transform_.firstKey() && cell.key < transform_.endKey();
  if (!isInSight) {
    transform_.centreOn(cell);
    tiles_.dropPending();
  }
  selection_.pin(TokenPos(static_cast<std::int32_t>(cell.key)));
  selection_.pinQuery(TokenPos(static_cast<std::int32_t>(cell.query)));
}

void AttentionMapView::leaveEvent(QEvent*) { selection_.hover(std::nullopt); }

void AttentionMapView::keyPressEvent(QKeyEvent* event) {
  constexpr double step = 60;
  if (event->modifiers().testFlag(Qt::ShiftModifier)) {
    const bool isAcross = event->key() == Qt::Key_Left || event->key() == Qt::Key_Right;
    const bool isDown = event->key() == Qt::Key_Up || event->key() == Qt::Key_Down;
    const int by = event->key() == Qt::Key_Left || event->key() == Qt::Key_Up ? -1 : 1;
    if (isAcross || isDown) return movePin(isDown ? by : 0, isAcross ? by : 0);
  }
  switch (event->key()) {
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      zoomBy(zoomPerStep);
      return;
    case Qt::Key_Minus:
      zoomBy(1 / zoomPerStep);
      return;
    case Qt::Key_0:
    case Qt::Key_Home:
      showWhole();
      return;
    case Qt::Key_Left:
      transform_.pan({step, 0});
      break;
    case Qt::Key_Right:
      transform_.pan({-step, 0});
      break;
    case Qt::Key_Up:
      transform_.pan({0, step});
      break;
    case Qt::Key_Down:
      transform_.pan({0, -step});
      break;
    default:
      QWidget::keyPressEvent(event);
      return;
  }
  tiles_.dropPending();
  update();
}

}  // namespace natscope::ui
