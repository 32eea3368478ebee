// SPDX-License-Identifier: GPL-3.0-or-later
/// The folder of a job: what was asked for, how far it is, and what it said.
///
///   spec.json       the options; written once
///   status.json     {state, pid, step, steps, updated, error}; replaced whole, at most once a second;
///                   `running` with a pid that is gone is a run that was killed
///   progress.jsonl  one JSON object a line: a step's, or an evaluation's
///   log.txt         lines for people, with UTC times
///   tokenizer.model, train.tokens, valid.tokens   vocabulary, and the text in it
///   checkpoints/    see checkpoint.h
/// Its process belongs to nobody's window: anybody may read all of it at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/expected.h"

namespace natscope::train {

enum class JobState { running, finished, interrupted, failed };

class JobFolder {
 public:
  /// Makes the folder. Errors: io_failure.
  [[nodiscard]] static Expected<JobFolder> create(const std::filesystem::path& folder);

  /// Whether a job was begun in `folder`.
  [[nodiscard]] static bool exists(const std::filesystem::path& folder);

  /// Errors: bad_job, those of reading files.
  [[nodiscard]] static Expected<nlohmann::json> read_spec(const std::filesystem::path& folder);
  [[nodiscard]] Expected<void> write_spec(const nlohmann::json& spec) const;

  /// `error` is empty, or format_error_line's text for a failed job.
  [[nodiscard]] Expected<void> write_status(JobState state, std::int64_t step, std::int64_t steps,
                                            std::string_view error = {});

  /// The same for a running job, left out when the last one is younger than a second.
  [[nodiscard]] Expected<void> write_running_status(std::int64_t step, std::int64_t steps);

  /// Appends with one write, so that readers see whole lines. Errors: io_failure, disk_full.
  [[nodiscard]] Expected<void> append_progress(const nlohmann::json& line) const;
  [[nodiscard]] Expected<void> log(std::string_view text) const;

  /// Drops progress lines of steps after `step` and a cut last line: a resumed run says them again.
  [[nodiscard]] Expected<void> rewind_progress(std::int64_t step) const;

  [[nodiscard]] std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  [[nodiscard]] std::filesystem::path tokenizer() const { return folder_ / "tokenizer.model"; }
  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

 private:
  explicit JobFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Expected<void> append(const char* name, std::string_view text) const;

  std::filesystem::path folder_;
  std::chrono::steady_clock::time_point status_written_{};
};

}  // namespace natscope::train
