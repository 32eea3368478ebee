// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/runs/run_comparison.h"
#include "ui/panels/follow_up_bar.h"
#include "ui/panels/search_bar.h"
#include "ui/views/token_text_view.h"

class QComboBox;
class QLabel;

namespace natscope::ui {

class LossLegend;

/// The text, what its colours mean, the choice between their meanings, and what the model is given behind it.
class TextPanel : public QWidget {
  Q_OBJECT

 public:
  TextPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent = nullptr);

  /// The next meaning; the difference to a kept run is left out where none is kept.
  void nextColouring();
  void beginSearch();
  /// Marks every occurrence of a token of the vocabulary.
  void findToken(std::int32_t token, const QString& name);
  [[nodiscard]] TokenTextView& text() { return *text_; }
  [[nodiscard]] FollowUpBar& followUp() { return *followUp_; }
  /// What stands beside the legend; empty where the legend says it all.
  [[nodiscard]] QString words() const;
  /// The meaning that is chosen, as the list has it.
  [[nodiscard]] QString meaning() const;

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void explain();
  void say(const QString& words, const QString& more = {});
  void explainLosses();
  void explainDifference();

  Workbench& workbench_;
  RunComparison& comparison_;
  TokenTextView* text_;
  QComboBox* colouring_;
  LossLegend* legend_;
  QLabel* words_;
  SearchBar* search_;
  FollowUpBar* followUp_;
};

}  // namespace natscope::ui
