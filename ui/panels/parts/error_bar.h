// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QPushButton>
#include <QWidget>
#include <functional>

#include "core/base/error.h"

namespace natscope::ui {

/// One line under the tool bar: what went wrong and what to do next. Never in the way: dismissed with × or Esc,
/// replaced by the next one, gone when what failed works again.
class ErrorBar : public QWidget {
  Q_OBJECT

 public:
  explicit ErrorBar(QWidget* parent = nullptr);

  void showError(const Error& error);
  /// A button beside what is said, until something else is said: what to do about it.
  void offer(const QString& label, std::function<void()> what);
  [[nodiscard]] QPushButton& offered() { return *offer_; }
  [[nodiscard]] QString text() const { return words_->text(); }

 private:
  QLabel* words_;
  QPushButton* offer_;
  std::function<void()> what_;
};

}  // namespace natscope::ui
