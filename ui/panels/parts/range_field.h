// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QComboBox>
#include <optional>

#include "core/export/scale.h"

namespace natscope::ui {

/// Where a figure's colours begin and end: by themselves, as on screen, or as typed: LO:HI.
class RangeField : public QComboBox {
  Q_OBJECT

 public:
  explicit RangeField(QWidget* parent = nullptr);

  /// What the screen's colours stand for, or nothing. What was chosen stays where it can.
  void setOnScreen(const std::optional<FixedRange>& range);
  /// Nothing: by itself. Errors: as parse_fixed_range.
  [[nodiscard]] Expected<std::optional<FixedRange>> range(ScaleKind kind) const;
};

}  // namespace natscope::ui
