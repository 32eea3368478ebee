// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QWidget>

#include "core/base/error.h"

namespace natscope::ui {

/// One line under the tool bar: what went wrong and what to do next. Never in the way: dismissed with × or Esc,
/// replaced by the next one, gone when what failed works again.
class ErrorBar : public QWidget {
  Q_OBJECT

 public:
  explicit ErrorBar(QWidget* parent = nullptr);

  void showError(const Error& error);
  /// Good news in the same place, calmer: "Wrote figure.png".
  void showNotice(const QString& text);
  [[nodiscard]] QString text() const { return words_->text(); }

 private:
  QLabel* words_;
};

}  // namespace natscope::ui
