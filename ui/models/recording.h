// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <filesystem>
#include <memory>

#include "core/protocol/messages.h"
#include "core/session/session_file.h"
#include "core/session/trace_file.h"

namespace natscope::ui {

/// Whose tokenizer is at hand: the open model's folder, and the SHA-256 of its weights. Empty: none.
struct ModelAtHand {
  std::filesystem::path folder;
  std::string sha256;
};

/// A trace file, open: the sequence that it holds and the maps that were recorded. Everything comes from the file; no
/// engine is asked. Immutable once open: any thread may read.
class Recording {
 public:
  /// Tokens read as the trace says; one that does not say it needs the model at hand to be the one that made it, else
  /// they read as their ids.
  /// Errors: those of TraceFile::open and session_of. Reads the whole file but its maps: not on the window's thread.
  [[nodiscard]] static Expected<std::shared_ptr<const Recording>> open(const std::filesystem::path& path,
                                                                       const ModelAtHand& model);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] const TraceFile& trace() const { return trace_; }
  /// Query heads a layer; as many as KV heads where the file does not say.
  [[nodiscard]] int heads() const;
  [[nodiscard]] bool hasTexts() const { return hasTexts_; }
  /// What the texts of the prompt's tokens add up to; empty without texts.
  [[nodiscard]] QString promptText() const;
  [[nodiscard]] bool hasMap(const MapId& map) const { return trace_.map_index(map).has_value(); }
  /// Why there is no picture of this head, and which heads have one. Empty where there is one.
  [[nodiscard]] QString whyNoMap(const MapId& map) const;

  /// A rectangle of a recorded map, as an engine answers. Errors: bad_trace, bad_position.
  [[nodiscard]] Expected<WeightsMessage> weights(const WeightsRequestMessage& request) const;

  /// One sentence that says what this is: where it comes from, under which policy, what it holds.
  [[nodiscard]] QString summary() const;

 private:
  Recording(std::filesystem::path path, TraceFile trace, Session session, bool hasTexts);

  std::filesystem::path path_;
  TraceFile trace_;
  Session session_;
  bool hasTexts_;
};

}  // namespace natscope::ui
