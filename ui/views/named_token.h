// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/figure/token_label.h"
#include "ui/models/grouped_number.h"
#include "ui/models/sequence_model.h"

namespace natscope::ui {

/// “·had” · 90: a token's text as a label of at most so many characters, and its position. Whatever the text: a token
/// may be “%1”.
[[nodiscard]] inline QString namedToken(const SequenceModel& sequence, TokenPos token, int maxCharacters = 12) {
  return QStringLiteral("“%1” · %2").arg(tokenLabel(sequence.name(token), maxCharacters), groupedNumber(token.value));
}

}  // namespace natscope::ui
