// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFontMetricsF>
#include <QStringList>
#include <QTextDocument>

namespace natscope::ui {

/// The first of some ways to say the same, longest first, that is no wider than `width`; where none is, the beginning
/// of the last one.
[[nodiscard]] inline QString longestFitting(const QStringList& choices, const QFontMetricsF& metrics, double width) {
  for (const QString& words : choices) {
    if (metrics.horizontalAdvance(words) <= width) return words;
  }
  return choices.isEmpty() ? QString() : metrics.elidedText(choices.last(), Qt::ElideRight, width);
}

/// How wide rich text is on one line.
[[nodiscard]] inline double richWidth(const QString& words, const QFont& font) {
  QTextDocument text;
  text.setDocumentMargin(0);
  text.setDefaultFont(font);
  text.setHtml(words);
  return text.idealWidth();
}

}  // namespace natscope::ui
