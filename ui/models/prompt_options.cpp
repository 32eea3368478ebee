// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/prompt_options.h"

namespace natscope::ui {

QStringList parseStopStrings(const QString& line) {
  QStringList texts{QString()};
  for (qsizetype i = 0; i < line.size(); ++i) {
    QChar letter = line[i];
    if (letter == u'|') {
      texts.append(QString());
      continue;
    }
    if (letter == u'\\' && i + 1 < line.size()) {
      letter = line[++i];
      if (letter == u'n') letter = u'\n';
      if (letter == u't') letter = u'\t';
    }
    texts.last().append(letter);
  }
  texts.removeAll(QString());
  return texts;
}

QString stopStringsText(const QStringList& texts) {
  QStringList written;
  for (QString text : texts) {
    text.replace(u'\\', QStringLiteral("\\\\"));
    text.replace(u'|', QStringLiteral("\\|"));
    text.replace(u'\n', QStringLiteral("\\n"));
    text.replace(u'\t', QStringLiteral("\\t"));
    written.append(text);
  }
  return written.join(u'|');
}

}  // namespace natscope::ui
