// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/token_search.h"

class QLabel;
class QLineEdit;

namespace natscope::ui {

/// Finds a text among the tokens: a field, how many there are, back and on. Hidden until it is asked for; what is
/// typed is found at once, Return goes on, Shift+Return back, Esc ends it and takes the marks away.
class SearchBar : public QWidget {
  Q_OBJECT

 public:
  explicit SearchBar(TokenSearch& search, QWidget* parent = nullptr);

  /// Shows it, with the cursor in the field.
  void begin();
  /// Shows it, with every occurrence of a token marked; the field has its name, to be typed over.
  void beginToken(std::int32_t token, const QString& name);
  void end();

 Q_SIGNALS:
  void begun();
  void typed();  ///< another text is sought: what is found is to be seen, and nothing chosen

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void refresh();

  TokenSearch& search_;
  QLineEdit* field_;
  QLabel* count_;
};

}  // namespace natscope::ui
