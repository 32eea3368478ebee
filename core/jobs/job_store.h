// SPDX-License-Identifier: GPL-3.0-or-later
/// The folder that holds jobs, and what is done to jobs as folders: list, find, create, duplicate, delete.
///
///     JobStore store(default_jobs_folder());
///     for (const JobEntry& job : store.list()) …
///     auto copy = store.duplicate("books", "books-lr", {{"learning_rate", "0.0005"}});
///     auto started = make_runner(RunnerKind::local)->start(*copy);
///
/// Nothing here starts or ends a process; job_runner.h does. Any thread; nothing is kept between calls.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/jobs/job_spec.h"
#include "core/jobs/job_status.h"

namespace natscope::jobs {

/// $NATSCOPE_JOBS, else $XDG_DATA_HOME/natscope/jobs, else ~/.local/share/natscope/jobs. Need not exist.
[[nodiscard]] std::filesystem::path default_jobs_folder();

/// One job of a list. A folder that cannot be read is listed with the reason, and stands in nobody's way.
struct JobEntry {
  std::string name;
  std::filesystem::path folder;
  JobSpec spec;
  JobStatus status;
  std::optional<Error> problem;  ///< then spec and status say nothing
};

/// Letters, digits, `.`, `_` and `-`, at most 100, the first a letter or digit. Errors: usage.
[[nodiscard]] Expected<void> check_job_name(std::string_view name);

class JobStore {
 public:
  explicit JobStore(std::filesystem::path root) : root_(std::move(root)) {}

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

  /// Every folder that holds a spec.json, the last changed first; no folder, no jobs. Errors: those of reading folders.
  [[nodiscard]] Expected<std::vector<JobEntry>> list() const;

  /// The folder behind a name of this store, or behind a path (something with a `/` in it, or `.`): absolute.
  /// Errors: usage (no such name can be), bad_job (no job there).
  [[nodiscard]] Expected<std::filesystem::path> find(std::string_view name_or_path) const;

  /// Where a new job of this name (or path) goes. Errors: usage (bad name, or already there).
  [[nodiscard]] Expected<std::filesystem::path> place_for(std::string_view name_or_path) const;

  /// Describes a new job, as spec_text() has it. The folder appears whole. Errors: usage, bad_job, those of writing
  /// files.
  [[nodiscard]] Expected<std::filesystem::path> create(std::string_view name_or_path, nlohmann::json spec) const;

  /// A new job with the options of another one and these changes; without its checkpoints, progress and model.
  /// An `out` inside the old folder moves to the new one. Errors: usage, bad_job, those of writing files.
  [[nodiscard]] Expected<std::filesystem::path> duplicate(std::string_view from, std::string_view to,
                                                          std::span<const JobOption> changes) const;

  /// Deletes a job that nobody works on, by its status and by its lock: folder, checkpoints and the model inside it. It
  /// vanishes at once (renamed), then its files go. Errors: bad_job (no job, active, or something else lies
  /// in the folder), io_failure.
  [[nodiscard]] Expected<void> remove(std::string_view name_or_path) const;

 private:
  std::filesystem::path root_;
};

}  // namespace natscope::jobs
