// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"
#include "core/explore/token_span.h"
#include "core/sampling/sampler.h"
#include "core/session/provenance.h"

/// Session files: a sequence as a window shows it, to be opened again without the model, and exported from.
namespace natscope {

/// What was chosen when a session was kept.
struct SessionView {
  LayerId layer;
  HeadId head;
  std::vector<TokenPos> pinned;  ///< the last one is the one that views show; at most most_pinned are kept
  std::optional<TokenPos> query;

  friend bool operator==(const SessionView&, const SessionView&) = default;
};

inline constexpr std::size_t most_pinned = 1000;

struct Session {
  SequenceRecord record;
  std::string prompt;              ///< the text; empty when tokens were given
  std::int64_t prompt_tokens = 0;  ///< of that text; behind it the record says of every token whether it was generated
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 200;
  std::string policy = "model";  ///< as parse_policy takes it
  std::string model_path;        ///< where it was, to find it again
  std::string adapter_path;      ///< empty without one
  Provenance provenance;
  std::map<std::int32_t, std::string> token_texts;  ///< how candidates read
  std::optional<SessionView> view;                  ///< none in older files
  /// What was given behind the prompt, in order; none: the file does not say it, and the record's tokens that nobody
  /// generated are it, unless the run was read again.
  std::optional<std::vector<TokenSpan>> follow_ups;
  /// False: made of a trace by which what was dropped is not known (knows_what_is_held), and only in part in `record`.
  bool knows_drops = true;
  bool is_chat_turn = false;  ///< the prompt is one that the model's chat template made of a text
  /// The run that it was compared with, or null. Of it record, prompt_tokens, policy, provenance and model_path count,
  /// the last as what its model is called.
  std::shared_ptr<const Session> kept;
};

/// A safetensors file, `format` = `natscope-session`. It holds the tensors tokens, roles, kv_entries and
/// kv_allocated_bytes of a trace under the same names, and the rest of every frame. Atomic. Errors: those of
/// write_safetensors, out_of_memory.
[[nodiscard]] Expected<void> write_session(const std::filesystem::path& path, const Session& session);

/// Errors: those of SafetensorsFile::open, bad_session, out_of_memory.
[[nodiscard]] Expected<Session> read_session(const std::filesystem::path& path);

/// What a file says it is: `natscope-trace`, `natscope-session`, or empty. Errors: those of SafetensorsFile::open.
[[nodiscard]] Expected<std::string> recorded_format(const std::filesystem::path& path);

}  // namespace natscope
