// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/protocol/model_description.h"
#include "ui/models/prompt_options.h"
#include "ui/panels/parts/policy_field.h"
#include "ui/panels/prompt_edit.h"

class QAction;
class QCheckBox;
class QDoubleSpinBox;
class QLabel;
class QSpinBox;
class QLineEdit;
class QPushButton;
class QScrollArea;

namespace natscope::ui {

/// The prompt, how tokens are sampled, and the cache policy. A policy that is none is marked where it was typed, and
/// nothing is analysed for it.
class PromptPanel : public QWidget {
  Q_OBJECT

 public:
  explicit PromptPanel(QWidget* parent = nullptr);

  [[nodiscard]] PromptOptions options() const;
  /// As long as nobody edits it this is the prompt to the letter, though a field knows no CR.
  void setPrompt(const QString& text);
  /// The prompt that was made of the text in the field: it takes its place, unless that was edited since (false).
  /// Ctrl+Z in the field brings it back.
  bool takeChatPrompt(const QString& user, const QString& prompt);
  /// Whether a text is the prompt that was last made so.
  [[nodiscard]] bool isChatTurn(const QString& text) const { return !turn_.isEmpty() && text == turn_; }
  /// What makes a chat turn of the prompt, and stands below it where the model has a form for that.
  void showChatAction(QAction* action);
  /// What is to be known of the prompt, below it; empty: nothing.
  void setNote(const QString& note);
  [[nodiscard]] QString note() const;
  void setOptions(const PromptOptions& options);
  /// What the model's generation_config.json asks for becomes what the fields say.
  void setDefaults(const ModelDescription& model);
  /// The field of the policy, where it gave the keyboard back on Escape or a choice, has it again with its caret where
  /// it was. False: it gave none back.
  bool takeKeyboardAgain() { return policy_->takeKeyboardAgain(); }
  /// What is wrong with the policy, once it was confirmed or left; empty: nothing.
  [[nodiscard]] const QString& policyProblem() const { return policy_->problem(); }

 Q_SIGNALS:
  void changed();
  void policyChosen();
  void fileDropped(const QString& path);  ///< on the editor

 private:
  void setFields(const PromptOptions& options);
  void setSampling(const SamplingOptions& sampling);

  PromptEdit* prompt_;
  QString given_;      // that the field was filled with
  QString turn_;       // the last chat prompt, to the letter
  QString turnShown_;  // and as the field shows it
  QPushButton* chat_;
  QCheckBox* greedy_;
  QDoubleSpinBox* temperature_;
  QSpinBox* topK_;
  QDoubleSpinBox* topP_;
  QDoubleSpinBox* minP_;
  QDoubleSpinBox* penalty_;
  QLineEdit* seed_;
  QSpinBox* length_;
  QLineEdit* stops_;
  PolicyField* policy_;
  QLabel* note_;
  QScrollArea* fields_ = nullptr;
};

}  // namespace natscope::ui
