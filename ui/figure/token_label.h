// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace natscope::ui {

/// A token's text as a short label on one line: a leading space is kept as "·", line breaks are "⏎", tabs "⇥", other
/// control characters their Unicode picture; longer than `maxCharacters` it is cut and ends in "…". An empty text (an
/// incomplete character) is "∅".
[[nodiscard]] QString tokenLabel(const QString& text, int maxCharacters = 12);

/// The same label from a token's name (Tokenizer::display()), which spells a line break as "\n" and a tab as "\t".
[[nodiscard]] QString tokenLabelOfName(QString name, int maxCharacters = 12);

}  // namespace natscope::ui
