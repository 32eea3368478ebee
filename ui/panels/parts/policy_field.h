// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QComboBox>

class QLabel;

namespace natscope::ui {

/// A cache policy, chosen from a list or typed. One that is none is marked once it is confirmed or left.
///
/// Whoever types goes on typing, till Escape; whoever chose from the list has the window's keys again, which are
/// letters.
class PolicyField : public QComboBox {
  Q_OBJECT

 public:
  struct Choice {
    QString written, form, meaning;
  };

  explicit PolicyField(const QList<Choice>& choices, QWidget* parent = nullptr);

  [[nodiscard]] QString policy() const { return currentText().trimmed(); }
  /// What is wrong with the policy; empty: nothing is marked.
  [[nodiscard]] const QString& problem() const { return problem_; }
  /// Where the problem is said: the form's to place. It has its room when there is none, too, and nothing moves.
  [[nodiscard]] QLabel* problemLabel() const { return label_; }
  /// Where it gave the keyboard back, on Escape or a choice, it has it again with its caret where it was. False: it
  /// gave none back.
  bool takeKeyboardAgain();

 Q_SIGNALS:
  void chosen();  ///< or typed and confirmed, and a policy
  void marked();  ///< as none

 private:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void giveKeyboardBack();
  /// Marks the field where its policy is none; returns whether it is one.
  bool checkPolicy();
  void mark(const QString& problem);

  QLabel* label_;
  QString problem_;  // as the label says it behind its sign
  bool gaveKeyboardBack_ = false;
  bool wasListOpen_ = false;  // since a key was pressed in the field
};

}  // namespace natscope::ui
