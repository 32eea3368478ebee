// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QStringList>

namespace natscope::ui {

/// One line of plain text that is said shorter where there is no room for all of it, and ends in "…" where there is
/// still none: it never widens what it stands in. All of it is in its tooltip.
class FittingLabel : public QLabel {
  Q_OBJECT

 public:
  explicit FittingLabel(QWidget* parent = nullptr);

  /// Some ways to say the same, longest first; text() is the first one.
  void say(const QStringList& choices);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QStringList choices_;
};

}  // namespace natscope::ui
