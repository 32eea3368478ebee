// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPlainTextEdit>

namespace natscope::ui {

/// What the engine and the window said, with times. The last two thousand lines.
class LogPanel : public QPlainTextEdit {
  Q_OBJECT

 public:
  explicit LogPanel(QWidget* parent = nullptr);

  void addLine(const QString& line);
};

}  // namespace natscope::ui
