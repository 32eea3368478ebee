// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>

#include "core/engine/sampler.h"

namespace natscope::ui {

/// What a run is asked for: the text, how tokens are chosen, and what decides how long they stay.
struct PromptOptions {
  QString text;
  QString policy = QStringLiteral("model");  ///< as parse_policy takes it
  SamplingOptions sampling;
  qint64 maxNewTokens = 200;
  QStringList stopStrings;
};

}  // namespace natscope::ui
