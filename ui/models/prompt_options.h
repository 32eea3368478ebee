// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>

#include "core/sampling/sampler.h"

namespace natscope::ui {

/// What a run is asked for: the text, how tokens are chosen, and what decides how long they stay.
struct PromptOptions {
  QString text;
  QString policy = QStringLiteral("model");  ///< as parse_policy takes it
  SamplingOptions sampling;
  qint64 maxNewTokens = 200;
  QStringList stopStrings;
  bool isChatTurn = false;  ///< the text is one that a chat template made
};

/// Stop strings in one line: separated by `|`, with \n, \t, \| and \\ for what a line or the separator cannot hold.
/// Empty texts are left out. parseStopStrings(stopStringsText(x)) is x.
[[nodiscard]] QStringList parseStopStrings(const QString& line);
[[nodiscard]] QString stopStringsText(const QStringList& texts);

}  // namespace natscope::ui
