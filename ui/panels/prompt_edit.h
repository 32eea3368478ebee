// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPlainTextEdit>

namespace natscope::ui {

/// The prompt's editor. A file that is dropped on it is opened, not spelled out.
class PromptEdit : public QPlainTextEdit {
  Q_OBJECT

 public:
  using QPlainTextEdit::QPlainTextEdit;

  /// What stands there, with its no-break spaces: toPlainText makes blanks of them, which are other tokens.
  [[nodiscard]] QString text() const;
  /// Another text in place of what stands there, which Ctrl+Z brings back; the field has the keyboard then.
  void replaceText(const QString& text);
  /// It takes the room that is left: the fields below it have theirs first.
  [[nodiscard]] QSize sizeHint() const override { return {QPlainTextEdit::sizeHint().width(), minimumHeight()}; }

 Q_SIGNALS:
  void fileDropped(const QString& path);

 protected:
  bool canInsertFromMimeData(const QMimeData* source) const override;
  void insertFromMimeData(const QMimeData* source) override;
};

/// The one local file or folder that is being dragged or pasted; empty where it is none, or several.
[[nodiscard]] QString droppedPath(const QMimeData& data);

}  // namespace natscope::ui
