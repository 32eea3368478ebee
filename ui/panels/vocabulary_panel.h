// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <optional>

#include "core/explore/vocabulary_count.h"
#include "ui/models/workbench.h"
#include "ui/panels/figure_table_panel.h"

class QCheckBox;
class QLineEdit;
class QSpinBox;

namespace natscope::ui {

class VocabularyRows;

/// Which tokens of the vocabulary are kept, counted by what they are: in all heads, or in the chosen one. A row marks
/// its token wherever it occurs in the text.
class VocabularyPanel : public FigureTablePanel {
  Q_OBJECT

 public:
  explicit VocabularyPanel(Workbench& workbench, QWidget* parent = nullptr);

  [[nodiscard]] QCheckBox& onlyChosenHead() { return *chosenHead_; }
  [[nodiscard]] bool isOfOneHead() const;
  [[nodiscard]] QLineEdit& wanted() { return *wanted_; }
  [[nodiscard]] QSpinBox& fewest() { return *fewest_; }
  /// Whether the table is of the whole sequence as it is now.
  [[nodiscard]] bool isComplete() const;

 Q_SIGNALS:
  void tokenChosen(std::int32_t token, const QString& name);

 private:
  /// A count that is being made, some heads at a time: those of a long text take longer than a window may stand still.
  struct Pass {
    VocabularyCount count{};
    std::int64_t tokens = 0;
    std::int32_t layers = 0;
    std::int32_t kvHeads = 0;
    std::vector<std::pair<LayerId, KvHeadId>> heads{};
    std::size_t done = 0;
  };

  void refresh() override;
  void choose(std::size_t row) override;
  void begin();
  void countOn();
  void show(const Pass& pass);
  void filter();
  void drop();

  Workbench& workbench_;
  VocabularyRows* rows_;
  QLineEdit* wanted_;
  QSpinBox* fewest_;
  QCheckBox* chosenHead_;
  std::optional<Pass> pass_;
  bool isStale_ = false;  // the sequence got longer, or another head was chosen, since the pass began
  QTimer slice_;
  std::int64_t shownTokens_ = 0;
  std::optional<std::int32_t> chosen_;  // the token of the current row
};

}  // namespace natscope::ui
