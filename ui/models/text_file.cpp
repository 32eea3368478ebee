// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/text_file.h"

#include <QFile>
#include <QFileInfo>
#include <QObject>

#include "core/base/utf8.h"

namespace natscope::ui {

Expected<QString> readTextFile(const QString& path) {
  const std::string name = QFileInfo(path).fileName().toStdString();
  QFile file(path);
  if (!file.exists()) return fail(ErrorCode::file_not_found, "there is no file “" + path.toStdString() + "”");
  if (!file.open(QIODevice::ReadOnly)) {
    return fail(ErrorCode::io_failure, "“" + name + "” cannot be read: " + file.errorString().toStdString());
  }
  QByteArray bytes;
  // A pipe gives what it has.
  for (QByteArray piece = file.read(largestTextFile + 1); !piece.isEmpty() && bytes.size() <= largestTextFile;
       piece = file.read(largestTextFile + 1))
    bytes += piece;
  if (bytes.size() > largestTextFile) {
    return fail(ErrorCode::file_too_large, "“" + name + "” is too large for a prompt",
                "give a text of at most " + std::to_string(largestTextFile >> 20) + " MiB");
  }
  constexpr qsizetype markBytes = 3;
  const bool hasMark = bytes.startsWith("\xef\xbb\xbf");
  if (bytes.size() == (hasMark ? markBytes : 0)) return fail(ErrorCode::bad_text, "“" + name + "” is empty");
  if (bytes.contains('\0')) {
    return fail(ErrorCode::bad_text, "“" + name + "” holds zero bytes, which no text does",
                "give a text file in UTF-8, a model's folder or a session file");
  }
  if (!valid_utf8({bytes.constData(), static_cast<std::size_t>(bytes.size())})) {
    return fail(ErrorCode::bad_text, "“" + name + "” is no text in UTF-8",
                "give a text file in UTF-8, a model's folder or a session file");
  }
  // Qt leaves the mark out; to a model it is a part of the text.
  return hasMark ? QChar(QChar::ByteOrderMark) + QString::fromUtf8(bytes.sliced(markBytes)) : QString::fromUtf8(bytes);
}

QString unseenWords(const QString& text) {
  QStringList words;
  if (text.startsWith(QChar(QChar::ByteOrderMark)))
    words << QObject::tr("The text begins with a byte order mark, which the model reads, as on the command line.");
  if (text.contains(u'\r'))
    words << QObject::tr(
        "Its lines end with CR, which the model reads, as on the command line; an edit here makes plain line ends.");
  return words.join(u' ');
}

bool isRecordedFile(const QString& path) {
  if (path.endsWith(QStringLiteral(".safetensors"), Qt::CaseInsensitive)) return true;
  // What is read of a pipe is gone, and reading may wait for whoever writes.
  if (!QFileInfo(path).isFile()) return false;
  // Eight bytes of length, then JSON: no text begins so.
  QFile file(path);
  if (!file.open(QIODevice::ReadOnly)) return false;
  const QByteArray start = file.read(9);
  return start.size() == 9 && start.at(7) == '\0' && start.at(8) == '{';
}

}  // namespace natscope::ui
