// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QComboBox>
#include <optional>

namespace natscope::ui {

/// A figure's title: what it has by itself, none, or as typed.
class TitleField : public QComboBox {
  Q_OBJECT

 public:
  explicit TitleField(QWidget* parent = nullptr);

  /// As FigureOptions::title.
  [[nodiscard]] std::optional<QString> title() const;
};

}  // namespace natscope::ui
