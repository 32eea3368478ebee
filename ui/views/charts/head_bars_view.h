// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"

namespace natscope::ui {

/// What each (layer, KV head) holds after the chosen step, as a share of what full attention would: a bar a head,
/// layers down, heads across. Click chooses the head.
class HeadBarsView : public QWidget {
  Q_OBJECT

 public:
  HeadBarsView(SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  struct Head {
    int layer = 0;
    int kvHead = 0;
  };
  [[nodiscard]] QRectF rectOf(const Head& head) const;

  [[nodiscard]] QSize sizeHint() const override { return {260, 180}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {150, 84}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void drawShare(QPainter& painter, const QRectF& cell, const QRectF& filled, double share) const;
  [[nodiscard]] QRectF area() const;
  [[nodiscard]] std::optional<Head> headAt(QPointF at) const;
  [[nodiscard]] double shareOf(const Head& head) const;
  [[nodiscard]] const TokenFrame* shownFrame() const;

  SequenceModel& sequence_;
  Selection& selection_;
};

}  // namespace natscope::ui
