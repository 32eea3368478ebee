// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>

#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"

namespace natscope::ui {

/// How often each role was given: in all heads, in the chosen layer, in the chosen head. A stacked bar each, with
/// letters.
class RoleMixView : public QWidget {
  Q_OBJECT

 public:
  RoleMixView(SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  using Counts = std::array<std::int64_t, role_count>;
  [[nodiscard]] Counts allHeads() const;

  [[nodiscard]] QSize sizeHint() const override { return {190, 180}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {130, 84}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  [[nodiscard]] Counts countHeads(int layer, int firstHead, int endHead) const;
  void drawBar(QPainter& painter, const QRectF& line, const QString& name, const Counts& counts) const;

  SequenceModel& sequence_;
  Selection& selection_;
};

}  // namespace natscope::ui
