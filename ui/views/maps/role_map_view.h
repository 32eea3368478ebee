// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QTimer>
#include <QWidget>
#include <memory>

#include "core/cache/role_plan.h"
#include "core/explore/run_figures.h"
#include "ui/models/runs/kept_run.h"
#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"
#include "ui/models/token_search.h"
#include "ui/views/maps/column_transform.h"
#include "ui/views/maps/mean_picture.h"
#include "ui/views/maps/pointer.h"

namespace natscope::ui {

/// Whose roles a role map shows while a run is kept.
enum class RoleMapShows : std::uint8_t {
  now,
  kept,
  difference,  ///< which of the two caches holds each entry, after the last token that both runs have
};

/// Every token's role in every (layer, KV head): rows are heads, grouped by layer, columns are tokens. What is no
/// longer in the cache is pale. A pixel of several heads has the mean of their colours; one of several tokens that of
/// PixelTokens::most of them, spread evenly, so a single token may be in no pixel. Wheel zooms along the tokens, drag
/// pans, hover previews, click pins token and head, a right click asks for the menu of a place.
class RoleMapView : public QWidget {
  Q_OBJECT

 public:
  RoleMapView(SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  [[nodiscard]] QSize sizeHint() const override { return {560, 280}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {240, 84}; }

  /// Marks what is found on the axis, and brings what was gone to into sight.
  void setSearch(TokenSearch& search);
  /// The run to compare with, or null. Without one the present run is shown, whatever setShows said.
  void setKept(const std::shared_ptr<const KeptRun>& kept);
  void setShows(RoleMapShows shows);
  /// Places whose roles were set by hand: they get a frame.
  void setForced(std::vector<ForcedRole> forced);
  [[nodiscard]] RoleMapShows shows() const { return kept_ ? shows_ : RoleMapShows::now; }
  /// Counts of the difference that is shown; nothing unless it is, or where the runs' models have other shapes.
  [[nodiscard]] const std::optional<HeldDifference>& difference() const { return difference_; }
  /// How many times cells were turned into a picture: pointing at tokens needs no new one.
  [[nodiscard]] std::int64_t picturesMade() const { return picturesMade_; }

  struct Cell {
    int row = 0;  ///< layer * KV heads + KV head
    std::int64_t token = 0;
  };
  [[nodiscard]] std::optional<Cell> cellAt(QPointF at) const;
  [[nodiscard]] QRectF rectOf(const Cell& cell) const;

 Q_SIGNALS:
  /// A place of the map that is shown was asked about: of the present run, or of the kept one (shows() says which).
  /// `at`: where on the screen.
  void menuWanted(natscope::LayerId layer, natscope::KvHeadId kvHead, natscope::TokenPos position, QPoint at);

 protected:
  void contextMenuEvent(QContextMenuEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  [[nodiscard]] int rows() const;
  [[nodiscard]] QRectF area() const;
  [[nodiscard]] double rowHeight() const;
  /// The record whose rows and tokens are drawn.
  [[nodiscard]] const SequenceRecord& shown() const;
  [[nodiscard]] std::int64_t shownTokens() const;
  [[nodiscard]] bool shownHasRoles() const;
  [[nodiscard]] QString shownMethod() const;  ///< where it has none: what decides in their place
  void follow();
  /// Fits the columns, and forgets the picture.
  void place();
  /// The cells look different from now on.
  void changePicture();
  [[nodiscard]] int pictureWidth() const;
  [[nodiscard]] QImage makePicture() const;
  [[nodiscard]] QImage differencePicture(const std::vector<PixelTokens>& pixels) const;
  void drawPicture(QPainter& painter);
  void drawDifferenceSigns(QPainter& painter) const;
  double drawDifferenceLegend(QPainter& painter, QPointF at) const;
  void drawLetters(QPainter& painter) const;
  void drawForced(QPainter& painter) const;
  void drawLabels(QPainter& painter) const;
  void drawSelection(QPainter& painter) const;
  void drawFound(QPainter& painter) const;
  void drawLegend(QPainter& painter) const;
  void drawMixedWords(QPainter& painter, double x, const QRectF& line) const;

  SequenceModel& sequence_;
  Selection& selection_;
  TokenSearch* search_ = nullptr;
  ColumnTransform columns_;
  std::shared_ptr<const KeptRun> kept_;
  RoleMapShows shows_ = RoleMapShows::now;
  std::optional<HeldDifference> difference_;
  QTimer pause_;    ///< between two comparisons of runs, while one of them grows
  QImage picture_;  ///< of the cells; null until it is needed again
  std::int64_t picturesMade_ = 0;
  std::vector<ForcedRole> forced_;
  Press press_;
};

}  // namespace natscope::ui
