// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "core/session/session_file.h"
#include "tests/ui/views/made_up_record.h"

namespace natscope::ui {

/// A session without a model, for panels: madeUpRecord's tokens with scores (1, −1, 3) in every head.
/// `probability`: that the model gave each token; from `other` on it has other tokens.
inline Session madeUpSession(std::int32_t layers, std::int32_t kvHeads, std::int32_t tokens,
                             const std::function<double(std::int32_t)>& probability, std::int32_t other,
                             const char* policy = "model") {
  const SequenceRecord made = madeUpRecord(layers, kvHeads, tokens);
  Session session;
  session.record = SequenceRecord(made.geometry(), true, 2);
  for (TokenFrame frame : made.frames()) {
    const std::int32_t n = frame.position.value;
    frame.probability = n == 0 ? 0.0F : static_cast<float>(probability(n));
    if (n >= other) frame.token += 1000;
    for (std::size_t head = 0; head < frame.roles.size(); ++head)
      frame.scores.insert(frame.scores.end(), {1.0F, -1.0F, 3.0F});
    if (!session.record.append(std::move(frame))) break;
  }
  session.prompt_tokens = tokens;
  session.policy = policy;
  return session;
}

}  // namespace natscope::ui
