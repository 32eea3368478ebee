// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractScrollArea>
#include <QElapsedTimer>
#include <QTimer>
#include <map>
#include <optional>
#include <utility>

#include "ui/models/head_thumbnails.h"
#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"
#include "ui/views/maps/map_style.h"

namespace natscope::ui {

/// The maps of all heads as small multiples: layers down, query heads across, each map with queries down and keys
/// across. All share one range of colours. A click chooses a head everywhere, arrow keys go to the one beside.
///
/// Maps are fetched while the view is seen (those on screen first) and kept until another text is shown. They shrink
/// with the view until they are small, then it scrolls.
class HeadGridView : public QAbstractScrollArea {
  Q_OBJECT

 public:
  HeadGridView(TileSource& tiles, HeadThumbnails& thumbnails, SequenceModel& sequence, Selection& selection,
               QWidget* parent = nullptr);

  /// As the attention map's; a cell always shows the largest of its weights.
  void setMapStyle(const MapStyle& style);
  /// Whether somebody sees the view: a dock behind another one is shown and is not seen.
  void setSeen(bool isSeen);
  /// What can be had has changed: another text, more of it, another model, or an engine that is there again.
  void follow();
  /// 1: as large as fits, unless that is too small to see anything.
  void setZoom(double zoom);

  [[nodiscard]] const ScaleRange& range() const { return range_; }
  /// Where a head's map stands in the viewport, as far as it is scrolled now.
  [[nodiscard]] QRect rectOf(const MapId& head) const;
  [[nodiscard]] std::optional<MapId> headAt(QPointF at) const;
  /// In words: layer, head, KV head, its shares of roles and what it attends to; in letters where it has to be brief.
  [[nodiscard]] QString describe(const MapId& head, bool isBrief = false) const;
  /// Maps that are drawn of the whole text, and how many there can be.
  [[nodiscard]] std::pair<int, int> progress() const;

 Q_SIGNALS:
  void progressed();                              ///< progress() may have changed
  void hovered(const QStringList& descriptions);  ///< the longest first; empty: the cursor is over none
  void headOpened();                              ///< a double click or Enter on the chosen head

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void scrollContentsBy(int dx, int dy) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool viewportEvent(QEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  struct Picture {
    std::shared_ptr<const HeadThumbnail> of;
    QImage image;
    int pixels = 0;  // that the whole square has
  };

  void place();
  void fetch();
  void updateRange();
  void hover(std::optional<MapId> head);
  void revealSelected();
  [[nodiscard]] QRect gridArea() const;
  [[nodiscard]] int pitch() const;
  [[nodiscard]] std::optional<QString> whyNone() const;
  [[nodiscard]] const QImage* pictureOf(const MapId& head, const std::shared_ptr<const HeadThumbnail>& thumbnail,
                                        int pixels);
  [[nodiscard]] QImage painted(const HeadThumbnail& thumbnail, int pixels) const;
  void drawHead(QPainter& painter, const MapId& head, const QRect& square);
  void drawLabels(QPainter& painter) const;
  void drawFrame(QPainter& painter, const MapId& head, const QColor& colour, int width) const;

  TileSource& tiles_;
  SequenceModel& sequence_;
  Selection& selection_;
  HeadThumbnails& thumbnails_;
  MapStyle style_;
  ScaleRange range_;
  ColourTable table_;
  std::map<std::pair<std::int32_t, std::int32_t>, Picture> pictures_;
  QElapsedTimer frame_;
  QTimer pause_;
  std::optional<MapId> hovered_;
  double zoom_ = 1;
  int side_ = 0;  // of a map, logical pixels
  int gap_ = 4;
  bool isSeen_ = true;
  bool hasFetched_ = false;
  bool hasPutOff_ = false;
};

}  // namespace natscope::ui
