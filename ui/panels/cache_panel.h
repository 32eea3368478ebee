// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QToolButton>
#include <QWidget>

#include "ui/models/runs/run_comparison.h"
#include "ui/models/workbench.h"

class QComboBox;

namespace natscope::ui {

class CacheChartView;

/// The cache from three sides: its numbers against tokens, what each head holds, how often each role was given. A run
/// that is kept stays as a second curve, with both runs' numbers above.
class CachePanel : public QWidget {
  Q_OBJECT

 public:
  CachePanel(Workbench& workbench, RunComparison& comparison, QWidget* parent = nullptr);

  [[nodiscard]] CacheChartView& chart() { return *chart_; }
  [[nodiscard]] QString comparedWords() const { return words_->text(); }
  /// As without the line of a kept run: the chart gives way to it, or the window would have to grow.
  [[nodiscard]] QSize minimumSizeHint() const override;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void follow();
  void listKept();
  void sayCompared();

  RunComparison& comparison_;
  CacheChartView* chart_;
  QToolButton* keep_;
  QWidget* bar_;      // while a run is kept
  QComboBox* which_;  // of several that are kept
  QToolButton* drop_;
  QLabel* words_;
};

}  // namespace natscope::ui
