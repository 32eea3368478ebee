// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <optional>

#include "core/explore/sequence_record.h"
#include "core/session/session_file.h"

namespace natscope::ui {

/// A run that was set aside to be compared with: a copy, which nothing changes any more.
struct KeptRun {
  SequenceRecord record;
  std::int64_t promptTokens = 0;
  QString name;   ///< its policy in words, with W where there is one, and what was set by hand
  QString model;  ///< what its model is called
  Provenance provenance;
  QString untrained;  ///< that its model was not trained for its policy; else empty
  /// What a session of its own says of it besides: prompt, sampling, folders, names of tokens. Nothing of one that came
  /// as the run that a session was compared with.
  std::optional<Session> rest{};
};

}  // namespace natscope::ui
