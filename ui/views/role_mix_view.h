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
  [[nodiscard]] const Counts& allHeads() const { return all_; }

  [[nodiscard]] QSize sizeHint() const override { return {190, 180}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {130, 90}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void extend();
  [[nodiscard]] Counts countHeads(int firstHead, int endHead) const;
  void drawBar(QPainter& painter, const QRectF& line, const QString& name, const Counts& counts) const;

  SequenceModel& sequence_;
  Selection& selection_;
  Counts all_{};
  std::int64_t counted_ = 0;
};

}  // namespace natscope::ui
