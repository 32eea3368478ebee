// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/token_label.h"

namespace natscope::ui {
namespace {

constexpr char16_t leadingSpace = u'\u00b7';
constexpr char16_t lineBreak = u'\u23ce';
constexpr char16_t tabulator = u'\u21e5';
constexpr char16_t controlPictures = u'\u2400';
constexpr char16_t emptyText = u'\u2205';
constexpr char16_t ellipsis = u'\u2026';

QChar shown(QChar character) {
  if (character == u' ') return leadingSpace;
  if (character == u'\n' || character == u'\r') return lineBreak;
  if (character == u'\t') return tabulator;
  if (character.unicode() < 0x20) return QChar(static_cast<char16_t>(controlPictures + character.unicode()));
  return character;
}

}  // namespace

QString tokenLabel(const QString& text, int maxCharacters) {
  if (text.isEmpty()) return QString(QChar(emptyText));
  QString label;
  label.reserve(text.size());
  for (const QChar character : text) label.append(shown(character));
  if (label.size() <= maxCharacters) return label;
  qsizetype kept = maxCharacters - 1;
  // A surrogate pair is one character: half of one would show as a box.
  if (kept > 0 && label.at(kept - 1).isHighSurrogate()) --kept;
  return label.left(kept) + QChar(ellipsis);
}

QString tokenLabelOfName(QString name, int maxCharacters) {
  name.replace(QStringLiteral("\\n"), QStringLiteral("\n")).replace(QStringLiteral("\\t"), QStringLiteral("\t"));
  return tokenLabel(name, maxCharacters);
}

}  // namespace natscope::ui
