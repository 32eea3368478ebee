// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/prompt_edit.h"

#include <QMimeData>
#include <QUrl>

namespace natscope::ui {

QString droppedPath(const QMimeData& data) {
  const QList<QUrl> urls = data.urls();
  return urls.size() == 1 && urls.front().isLocalFile() ? urls.front().toLocalFile() : QString();
}

QString PromptEdit::text() const {
  return document()
      ->toRawText()
      .replace(QChar(QChar::ParagraphSeparator), u'\n')
      .replace(QChar(QChar::LineSeparator), u'\n');
}

void PromptEdit::replaceText(const QString& text) {
  QTextCursor cursor(document());
  cursor.select(QTextCursor::Document);
  cursor.insertText(text);
  moveCursor(QTextCursor::End);
  setFocus(Qt::OtherFocusReason);
}

bool PromptEdit::canInsertFromMimeData(const QMimeData* source) const {
  return !droppedPath(*source).isEmpty() || QPlainTextEdit::canInsertFromMimeData(source);
}

void PromptEdit::insertFromMimeData(const QMimeData* source) {
  const QString path = droppedPath(*source);
  if (path.isEmpty()) return QPlainTextEdit::insertFromMimeData(source);
  Q_EMIT fileDropped(path);
}

}  // namespace natscope::ui
