// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/run_facts.h"
#include "ui/models/workbench.h"

class QHBoxLayout;
class QLabel;

namespace natscope::ui {

/// The rules that what is shown was made under and how well the prompt is predicted under them, in one quiet line of
/// the status bar, each with its meaning on hover.
class FactsLine : public QWidget {
  Q_OBJECT

 public:
  explicit FactsLine(Workbench& workbench, QWidget* parent = nullptr);

  /// As it reads: "policy learned roles · W 16".
  [[nodiscard]] QString text() const;

 private:
  void refresh();

  Workbench& workbench_;
  QList<RunFact> facts_;
  QList<QLabel*> labels_;
  QHBoxLayout* line_;
};

}  // namespace natscope::ui
