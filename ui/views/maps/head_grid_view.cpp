// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/head_grid_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QWheelEvent>
#include <algorithm>
#include <bit>
#include <utility>

#include "core/export/head_overview.h"
#include "ui/figure/axis_ticks.h"
#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/maps/map_marks.h"
#include "ui/views/maps/pointer.h"
#include "ui/views/maps/tile_images.h"

namespace natscope::ui {
namespace {

constexpr int labelsLeft = 40;
constexpr int labelsTop = 22;
constexpr int kvLabelsTop = 14;
constexpr int margin = 6;
constexpr int smallestSide = 24;   // below it a map says little: the view scrolls …
constexpr int smallestZoomed = 8;  // … unless a person wants to see more of them
constexpr int largestSide = 512;
constexpr double smallestZoom = 0.25;
constexpr double largestZoom = 16;
/// Of a frame's 16.7 ms, what making new pictures may take.
constexpr qint64 picturesBudgetNs = 6'000'000;
/// While text grows or the view scrolls, maps are asked for this often.
constexpr int fetchPauseMs = 120;

QFont smallFont(const QPainter& painter) {
  QFont font = painter.font();
  font.setPixelSize(11);
  return font;
}

/// Of the queries of a map of `tokens`.
QString attentionWords(const AttentionSummary& summary, std::int64_t tokens, bool isBrief) {
  const auto percent = [isBrief](double share) { return percentNumber(share, isBrief ? 0 : 1); };
  QString words =
      (isBrief ? HeadGridView::tr("; H %1, sink %2 %, self %3 %")
               : HeadGridView::tr("; entropy %1 nats, %2 % on token 0, %3 % on itself"))
          .arg(QString::number(summary.entropy, 'f', 2), percent(summary.sink_weight), percent(summary.self_weight));
  if (summary.queries < tokens && !isBrief) words += HeadGridView::tr(" (%1 queries)").arg(summary.queries);
  return words;
}

}  // namespace

HeadGridView::HeadGridView(TileSource& tiles, HeadThumbnails& thumbnails, SequenceModel& sequence, Selection& selection,
                           QWidget* parent)
    : QAbstractScrollArea(parent), tiles_(tiles), sequence_(sequence), selection_(selection), thumbnails_(thumbnails) {
  setFrameShape(QFrame::NoFrame);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Maps of all heads"));
  viewport()->setMouseTracking(true);
  viewport()->setAttribute(Qt::WA_OpaquePaintEvent);
  style_.theme = ThemeSwitch::instance().theme();
  pause_.setSingleShot(true);
  pause_.setInterval(fetchPauseMs);
  connect(&pause_, &QTimer::timeout, this, &HeadGridView::fetch);
  connect(&thumbnails_, &HeadThumbnails::changed, this, [this] {
    updateRange();
    Q_EMIT progressed();
    viewport()->update();
  });
  connect(&thumbnails_, &HeadThumbnails::cleared, this, [this] {
    pictures_.clear();
    hover(std::nullopt);
    follow();
  });
  connect(&sequence_, &SequenceModel::extended, this, &HeadGridView::follow);
  connect(&sequence_, &SequenceModel::restarted, this, &HeadGridView::follow);
  connect(&selection_, &Selection::headChanged, this, [this] {
    place();
    revealSelected();
    viewport()->update();
  });
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, [this] {
    style_.theme = ThemeSwitch::instance().theme();
    pictures_.clear();
    viewport()->update();
  });
  updateRange();
}

void HeadGridView::setMapStyle(const MapStyle& style) {
  MapStyle next = style;
  next.value = CellValue::maximum;
  next.theme = style_.theme;
  if (next == style_) return;
  style_ = next;
  table_ = ColourTable(style_, range_);
  pictures_.clear();
  updateRange();
  viewport()->update();
}

void HeadGridView::setSeen(bool isSeen) {
  isSeen_ = isSeen;
  if (!isSeen_) thumbnails_.want(*this, {});
  hasFetched_ = false;
  viewport()->update();
}

void HeadGridView::setZoom(double zoom) {
  zoom_ = std::clamp(zoom, smallestZoom, largestZoom);
  place();
  revealSelected();
  viewport()->update();
}

void HeadGridView::follow() {
  place();
  hasFetched_ = false;
  Q_EMIT progressed();
  viewport()->update();
}

void HeadGridView::fetch() {
  hasFetched_ = true;
  if (!isSeen_ || !isVisible()) return;
  std::vector<MapId> order = selection_.allHeads();
  const QRect area = gridArea();
  const auto turn = [&](const MapId& head) {
    if (head.layer == selection_.layer() && head.head == selection_.head()) return 0;
    return rectOf(head).intersects(area) ? 1 : 2;
  };
  std::ranges::stable_sort(order, {}, turn);
  thumbnails_.want(*this, std::move(order));
}

void HeadGridView::updateRange() {
  const ScaleRange fresh = steadied(range_of_counts(thumbnails_.counts(style_.scale.hide_sink), style_.scale), range_);
  if (fresh == range_) return;
  range_ = fresh;
  table_ = ColourTable(style_, range_);
  pictures_.clear();
}

std::pair<int, int> HeadGridView::progress() const {
  std::pair<int, int> result{0, 0};
  for (const MapId& head : selection_.allHeads()) {
    if (!tiles_.whyNoMap(head.layer, head.head).isEmpty()) continue;
    ++result.second;
    result.first += thumbnails_.isUpToDate(head) ? 1 : 0;
  }
  return result;
}

QString HeadGridView::describe(const MapId& head, bool isBrief) const {
  const int group = selection_.kvHeads() > 0 ? std::max(1, selection_.heads() / selection_.kvHeads()) : 1;
  const KvHeadId kvHead(head.head.value / group);
  QString words = (isBrief ? tr("L%1 H%2 (KV %3)") : tr("Layer %1, head %2, KV head %3"))
                      .arg(head.layer.value)
                      .arg(head.head.value)
                      .arg(kvHead.value);
  const auto tokens = static_cast<double>(sequence_.roles(head.layer, kvHead).size());
  if (!sequence_.hasRoles()) {
    words += tr(": %1 has no roles").arg(sequence_.method());
  } else if (tokens > 0) {
    const HeadTally& tally = sequence_.record().tally(head.layer, kvHead);
    const auto share = [&](Role role) {
      const auto count = static_cast<double>(tally.role_tokens[static_cast<std::size_t>(role)]);
      return percentNumber(count / tokens);
    };
    words += (isBrief ? tr(": G %1 %, L %2 %, S %3 %") : tr(": Global %1 %, Local %2 %, Sliding %3 %"))
                 .arg(share(Role::global), share(Role::local), share(Role::sliding));
  }
  if (const QString why = tiles_.whyNoMap(head.layer, head.head); !why.isEmpty()) return words + tr("; not recorded");
  const auto thumbnail = thumbnails_.of(head);
  if (!thumbnail) return words + tr("; not computed yet");
  if (thumbnail->summary) words += attentionWords(*thumbnail->summary, thumbnail->tokens, isBrief);
  if (!thumbnails_.isUpToDate(head))
    return words + tr("; the map of its first %1 tokens").arg(groupedNumber(thumbnail->tokens));
  return words;
}

/// Why there is no map of any head.
std::optional<QString> HeadGridView::whyNone() const {
  if (tiles_.tokens() == 0 || selection_.layers() == 0 || selection_.heads() == 0)
    return tr("The maps of all heads appear when a text was analysed.");
  for (const MapId& head : selection_.allHeads()) {
    if (tiles_.whyNoMap(head.layer, head.head).isEmpty()) return std::nullopt;
  }
  return tiles_.whyNoMap(selection_.layer(), selection_.head());
}

QRect HeadGridView::gridArea() const {
  const int above = labelsTop + (selection_.kvHeads() != selection_.heads() ? kvLabelsTop : 0);
  return viewport()->rect().adjusted(labelsLeft, above, -static_cast<int>(mapRight), -margin);
}

int HeadGridView::pitch() const { return side_ + gap_; }

void HeadGridView::place() {
  const QRect area = gridArea();
  const int across = std::max(1, selection_.heads());
  const int down = std::max(1, selection_.layers());
  gap_ = std::max(across, down) > 16 ? 2 : 4;
  // The frame of what is chosen stands in the gap, at the edges, too.
  const double fits = std::min((area.width() - gap_) / across, (area.height() - gap_) / down) - gap_;
  side_ = std::clamp(static_cast<int>(std::max<double>(fits, smallestSide) * zoom_), smallestZoomed, largestSide);
  const auto set = [&](QScrollBar* bar, int content, int room) {
    bar->setRange(0, std::max(0, content - room));
    bar->setPageStep(room);
    bar->setSingleStep(std::max(8, pitch() / 2));
  };
  set(horizontalScrollBar(), across * pitch() + gap_, area.width());
  set(verticalScrollBar(), down * pitch() + gap_, area.height());
}

QRect HeadGridView::rectOf(const MapId& head) const {
  const QRect area = gridArea();
  return {area.left() + gap_ / 2 + head.head.value * pitch() - horizontalScrollBar()->value(),
          area.top() + gap_ / 2 + head.layer.value * pitch() - verticalScrollBar()->value(), side_, side_};
}

std::optional<MapId> HeadGridView::headAt(QPointF at) const {
  const QRect area = gridArea();
  if (!area.contains(at.toPoint()) || pitch() <= 0 || whyNone()) return std::nullopt;
  const QPoint within = at.toPoint() - rectOf({LayerId(0), HeadId(0)}).topLeft() + QPoint(gap_ / 2, gap_ / 2);
  const MapId head{LayerId(within.y() / pitch()), HeadId(within.x() / pitch())};
  if (within.x() < 0 || within.y() < 0 || head.layer.value >= selection_.layers() ||
      head.head.value >= selection_.heads())
    return std::nullopt;
  return head;
}

void HeadGridView::revealSelected() {
  const QRect area = gridArea();
  const QRect chosen = rectOf({selection_.layer(), selection_.head()}).adjusted(-gap_, -gap_, gap_, gap_);
  const auto reveal = [](QScrollBar* bar, int before, int behind) {
    if (before > 0) bar->setValue(bar->value() - before);
    if (behind > 0) bar->setValue(bar->value() + behind);
  };
  reveal(horizontalScrollBar(), area.left() - chosen.left(), chosen.right() - area.right());
  reveal(verticalScrollBar(), area.top() - chosen.top(), chosen.bottom() - area.bottom());
}

QImage HeadGridView::painted(const HeadThumbnail& thumbnail, int pixels) const {
  std::vector<std::uint16_t> cells = thumbnail.cells;
  if (style_.scale.hide_sink) {
    for (std::size_t cell = 0; cell < cells.size(); cell += static_cast<std::size_t>(thumbnail.side)) cells[cell] = 0;
  }
  const std::int32_t side = std::min(thumbnail.side, std::max(1, pixels));
  AttentionTile tile;
  tile.rows = tile.columns = side;
  for (const std::uint16_t cell : largest_cells(std::span<const std::uint16_t>(cells), thumbnail.side, side)) {
    const auto bits = static_cast<std::uint32_t>(cell == 0 ? 0 : cell - 1) << 16U;
    tile.maximum.push_back(std::bit_cast<float>(bits));
    tile.visible_share.push_back(cell == 0 ? 0.0F : 1.0F);
  }
  MapStyle style = style_;
  style.scale.hide_sink = false;  // done, before cells were put together
  const QImage cellsOnly = tilePicture(tile, style, table_, colours(style_.theme).panel.rgb());
  // As large as on the screen: what is masked is hatched there as in the large map, not stretched.
  QImage image(pixels, pixels, QImage::Format_RGB32);
  QPainter painter(&image);
  painter.fillRect(image.rect(), maskedBrush(style_.theme));
  painter.drawImage(image.rect(), cellsOnly);
  return image;
}

const QImage* HeadGridView::pictureOf(const MapId& head, const std::shared_ptr<const HeadThumbnail>& thumbnail,
                                      int pixels) {
  Picture& picture = pictures_[{head.layer.value, head.head.value}];
  // While text grows a map's part of its square shrinks with every token: its picture shrinks with it.
  const bool isOld = thumbnail->tokens < tiles_.tokens();
  if (picture.of == thumbnail && (picture.pixels == pixels || (isOld && picture.pixels > pixels)))
    return &picture.image;
  if (frame_.nsecsElapsed() > picturesBudgetNs) {
    hasPutOff_ = true;
    return picture.image.isNull() ? nullptr : &picture.image;
  }
  picture = {thumbnail, painted(*thumbnail, pixels), pixels};
  return &picture.image;
}

void HeadGridView::drawHead(QPainter& painter, const MapId& head, const QRect& square) {
  const ThemeColours& theme = colours(style_.theme);
  const auto empty = [&](const QRect& area) { painter.fillRect(area, theme.raised); };
  const auto outline = [&](Qt::PenStyle line) {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.border, 1, line));
    painter.drawRect(square.adjusted(-1, -1, 0, 0));  // outside: the first pixels are the sink's
  };
  if (!tiles_.whyNoMap(head.layer, head.head).isEmpty()) {
    empty(square);
    outline(Qt::SolidLine);
    painter.drawLine(square.topLeft(), square.bottomRight());
    painter.drawLine(square.topRight(), square.bottomLeft());
    return;
  }
  const auto thumbnail = thumbnails_.of(head);
  // A map of an earlier, shorter text takes the part of the square that it is of.
  const double share = thumbnail ? std::min(1.0, static_cast<double>(thumbnail->tokens) /
                                                     static_cast<double>(std::max<qint64>(1, tiles_.tokens())))
                                 : 0;
  const int side = static_cast<int>(std::lround(square.width() * share));
  const QRect drawn(square.topLeft(), QSize(side, side));
  const int pixels = static_cast<int>(std::lround(side * devicePixelRatioF()));
  const QImage* const image = thumbnail && pixels > 0 ? pictureOf(head, thumbnail, pixels) : nullptr;
  if (image == nullptr || share < 1) {
    empty(square);
    outline(Qt::DashLine);
  }
  if (image != nullptr) {
    painter.drawImage(drawn, *image);
    if (share == 1) outline(Qt::SolidLine);
    return;
  }
  if (square.width() < smallestSide) return;
  painter.setPen(theme.muted);
  painter.drawText(square, Qt::AlignCenter, QStringLiteral("…"));
}

void HeadGridView::drawFrame(QPainter& painter, const MapId& head, const QColor& colour, int width) const {
  const QRect square = rectOf(head);
  for (int i = 1; i <= width; ++i) {
    painter.setPen(colour);
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(square.adjusted(-i, -i, i - 1, i - 1));
  }
}

void HeadGridView::drawLabels(QPainter& painter) const {
  const ThemeColours& theme = colours(style_.theme);
  const QRect area = gridArea();
  painter.setFont(smallFont(painter));
  const auto colourOf = [&](bool isChosen) { return isChosen ? theme.crosshair : theme.muted; };
  const auto each = [&](int count, int room, const auto& draw) {
    for (const std::int64_t tick : positionTicks(0, count, std::max(1, count * pitch() / room)))
      draw(static_cast<int>(tick));
  };
  painter.setClipRect(QRect(0, area.top(), area.left(), area.height()));
  each(selection_.layers(), 13, [&](int layer) {
    const QRect row = rectOf({LayerId(layer), HeadId(0)});
    painter.setPen(colourOf(layer == selection_.layer().value));
    painter.drawText(QRect(0, row.center().y() - 8, area.left() - 6, 16), Qt::AlignRight | Qt::AlignVCenter,
                     tr("L%1").arg(layer));
  });
  painter.setClipRect(QRect(area.left(), 0, area.width(), area.top()));
  each(selection_.heads(), 24, [&](int head) {
    const QRect column = rectOf({LayerId(0), HeadId(head)});
    painter.setPen(colourOf(head == selection_.head().value));
    painter.drawText(QRect(column.center().x() - 20, area.top() - 17, 40, 15), Qt::AlignCenter, tr("H%1").arg(head));
  });
  const int kvHeads = selection_.kvHeads();
  if (kvHeads > 0 && kvHeads != selection_.heads()) {
    // Heads that share keys, values and roles.
    const int group = selection_.heads() / kvHeads;
    for (int kvHead = 0; kvHead < kvHeads; ++kvHead) {
      const int from = rectOf({LayerId(0), HeadId(kvHead * group)}).left();
      const int to = rectOf({LayerId(0), HeadId((kvHead + 1) * group - 1)}).right();
      painter.setPen(theme.border);
      painter.drawLine(from, area.top() - 18, to, area.top() - 18);
      painter.setPen(colourOf(kvHead == selection_.kvHead().value));
      const QString words = tr("KV %1").arg(kvHead);
      if (painter.fontMetrics().horizontalAdvance(words) <= to - from)
        painter.drawText(QRect(from, area.top() - 33, to - from, 14), Qt::AlignCenter, words);
    }
  }
  painter.setClipping(false);
}

void HeadGridView::paintEvent(QPaintEvent*) {
  QPainter painter(viewport());
  const ThemeColours& theme = colours(style_.theme);
  painter.fillRect(viewport()->rect(), theme.panel);
  if (const auto why = whyNone()) {
    painter.setPen(theme.muted);
    painter.drawText(viewport()->rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, *why);
    return;
  }
  if (!hasFetched_ && !pause_.isActive()) pause_.start();
  frame_.start();
  hasPutOff_ = false;
  drawLabels(painter);
  const QRect area = gridArea();
  painter.setClipRect(area.adjusted(-1, -1, 1, 1));
  for (const MapId& head : selection_.allHeads()) {
    if (const QRect square = rectOf(head); square.intersects(area)) drawHead(painter, head, square);
  }
  if (hovered_) drawFrame(painter, *hovered_, theme.text, 1);
  drawFrame(painter, {selection_.layer(), selection_.head()}, theme.crosshair, gap_ > 2 ? 2 : 1);
  painter.setClipping(false);
  const int beside = rectOf({LayerId(0), HeadId(selection_.heads() - 1)}).right() + gap_;
  const QRectF legend(std::min(area.right(), beside) + 16, area.top(), mapRight - 20, std::max(40, area.height()));
  drawMapLegend(painter, legend, style_, range_);
  if (hasPutOff_) viewport()->update();
}

void HeadGridView::resizeEvent(QResizeEvent* event) {
  QAbstractScrollArea::resizeEvent(event);
  place();
}

void HeadGridView::scrollContentsBy(int, int) {
  hasFetched_ = false;  // what is on screen now comes first
  viewport()->update();
}

void HeadGridView::hideEvent(QHideEvent* event) {
  QAbstractScrollArea::hideEvent(event);
  thumbnails_.want(*this, {});
  hasFetched_ = false;
}

void HeadGridView::hover(std::optional<MapId> head) {
  if (head == hovered_) return;
  hovered_ = head;
  Q_EMIT hovered(head ? QStringList{describe(*head), describe(*head, true)} : QStringList{});
  viewport()->update();
}

bool HeadGridView::viewportEvent(QEvent* event) {
  if (event->type() == QEvent::Leave) hover(std::nullopt);
  return QAbstractScrollArea::viewportEvent(event);
}

void HeadGridView::mouseMoveEvent(QMouseEvent* event) { hover(headAt(event->position())); }

void HeadGridView::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  if (const auto head = headAt(event->position())) selection_.setLayerAndHead(head->layer, head->head);
}

void HeadGridView::mouseDoubleClickEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && headAt(event->position())) Q_EMIT headOpened();
}

void HeadGridView::wheelEvent(QWheelEvent* event) {
  if (!event->modifiers().testFlag(Qt::ControlModifier)) return QAbstractScrollArea::wheelEvent(event);
  setZoom(zoom_ * zoomOf(*event));
  event->accept();
}

void HeadGridView::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_Left:
      return selection_.move(0, -1);
    case Qt::Key_Right:
      return selection_.move(0, 1);
    case Qt::Key_Up:
      return selection_.move(-1, 0);
    case Qt::Key_Down:
      return selection_.move(1, 0);
    case Qt::Key_Home:
      return selection_.setLayerAndHead(selection_.layer(), HeadId(0));
    case Qt::Key_End:
      return selection_.setLayerAndHead(selection_.layer(), HeadId(selection_.heads() - 1));
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      return setZoom(zoom_ * zoomPerStep);
    case Qt::Key_Minus:
      return setZoom(zoom_ / zoomPerStep);
    case Qt::Key_Return:
    case Qt::Key_Enter:
      Q_EMIT headOpened();
      return;
    default:
      QAbstractScrollArea::keyPressEvent(event);
  }
}

}  // namespace natscope::ui
