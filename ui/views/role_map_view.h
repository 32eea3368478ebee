// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"
#include "ui/models/token_search.h"
#include "ui/views/column_transform.h"

namespace natscope::ui {

/// Every token's role in every (layer, KV head): rows are heads, grouped by layer, columns are tokens. What is no
/// longer in the cache is pale. Wheel zooms along the tokens, drag pans, hover previews, click pins token and head.
class RoleMapView : public QWidget {
  Q_OBJECT

 public:
  RoleMapView(SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  [[nodiscard]] QSize sizeHint() const override { return {560, 280}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {240, 120}; }

  /// Marks what is found on the axis, and brings what was gone to into sight.
  void setSearch(TokenSearch& search);

  struct Cell {
    int row = 0;  ///< layer * KV heads + KV head
    std::int64_t token = 0;
  };
  [[nodiscard]] std::optional<Cell> cellAt(QPointF at) const;
  [[nodiscard]] QRectF rectOf(const Cell& cell) const;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;

 private:
  [[nodiscard]] int rows() const;
  [[nodiscard]] QRectF area() const;
  [[nodiscard]] double rowHeight() const;
  void follow();
  void drawCells(QPainter& painter) const;
  void drawLetters(QPainter& painter) const;
  void drawLabels(QPainter& painter) const;
  void drawSelection(QPainter& painter) const;
  void drawFound(QPainter& painter) const;
  void drawLegend(QPainter& painter) const;

  SequenceModel& sequence_;
  Selection& selection_;
  TokenSearch* search_ = nullptr;
  ColumnTransform columns_;
  QPointF pressedAt_;
  QPointF lastAt_;
  bool isPressed_ = false;
  bool hasMoved_ = false;
};

}  // namespace natscope::ui
