// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/workbench.h"
#include "ui/panels/search_bar.h"
#include "ui/views/token_text_view.h"

class QComboBox;

namespace natscope::ui {

/// The text, what its colours mean, and the choice between the two meanings.
class TextPanel : public QWidget {
  Q_OBJECT

 public:
  explicit TextPanel(Workbench& workbench, QWidget* parent = nullptr);

  void toggleColouring();
  void beginSearch();

 private:
  Workbench& workbench_;
  TokenTextView* text_;
  QComboBox* colouring_;
  SearchBar* search_;
};

}  // namespace natscope::ui
