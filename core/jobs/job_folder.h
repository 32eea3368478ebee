// SPDX-License-Identifier: GPL-3.0-or-later
/// The folder of a job, as the trainer writes it: what was asked for, how far it is, and what it said.
///
///   spec.json          the options; written once (job_spec.h reads it)
///   status.json        replaced whole, at most once a second (job_status.h)
///   progress.jsonl     one JSON object a line: a step's, or an evaluation's (job_progress.h)
///   log.txt            lines for people, with UTC times
///   output.txt         what a detached process printed;  launch.json  who started it;  slurm.sh  its batch script
///   stop-request.json  there while somebody wants it to end after the step in work
///   tokenizer.model, train.tokens, valid.tokens   vocabulary, and the text in it
///   checkpoints/       see core/train/checkpoints/checkpoint.h and checkpoint_list.h
///   model/             the finished model, unless it was asked for elsewhere
/// Its process belongs to nobody's window: anybody may read all of it at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/expected.h"
#include "core/base/unique_descriptor.h"
#include "core/jobs/job_state.h"
#include "core/jobs/job_status.h"

namespace natscope::jobs {

/// What lies in a folder beside the files that a job writes, its finished model's among them: the first of it by name.
/// Hidden files count as the job's. Nothing where there is no such folder.
[[nodiscard]] std::optional<std::string> not_of_a_job(const std::filesystem::path& folder);
/// What a run that begins in `folder` would write over or delete, or a model that is written there: the first of it by
/// name, "checkpoints/NAME" in there. In nobody's way are log.txt and output.txt, to which lines are only added, an
/// empty folder of checkpoints, as a start leaves it that did not get far, and `own`: files that the run is to use.
[[nodiscard]] std::optional<std::string> in_the_way_of_a_job(const std::filesystem::path& folder,
                                                             std::span<const std::filesystem::path> own = {});

class JobFolder {
 public:
  /// Makes the folder where it is not there, and holds it for this process: a second trainer is refused until this
  /// object is gone or its process ended, however that came. Withdraws a stop request from before, but not one that
  /// came since a runner started this process: who asks early must not wait for the last step. Errors: bad_job (another
  /// process is at work in it), not_a_regular_file (a link, pipe or the like in the place of a file or folder of its
  /// own), io_failure, disk_full.
  [[nodiscard]] static Expected<JobFolder> create(const std::filesystem::path& folder);

  /// Names the folder for a process that only reads in it, beside the one that holds it.
  [[nodiscard]] static JobFolder beside(std::filesystem::path folder) {
    return {std::move(folder), UniqueDescriptor()};
  }

  /// Whether a job was begun in `folder`.
  [[nodiscard]] static bool exists(const std::filesystem::path& folder);

  /// Errors: bad_job, those of reading files.
  [[nodiscard]] static Expected<nlohmann::json> read_spec(const std::filesystem::path& folder);
  /// As spec_text() has it. Errors: its own, io_failure, disk_full.
  [[nodiscard]] Expected<void> write_spec(const nlohmann::json& spec) const;

  /// `error` is empty, or format_error_line's text for a failed job. The last status of a job is written even on a full
  /// disk: a small reserve is given up for it.
  [[nodiscard]] Expected<void> write_status(JobState state, std::int64_t step, std::int64_t steps,
                                            std::string_view error = {});

  /// The same for a running job, left out when the last one is younger than a second.
  [[nodiscard]] Expected<void> write_running_status(std::int64_t step, std::int64_t steps);

  /// Whether somebody asked this job to end after the step in work; looked at between steps. Costs one failed open.
  [[nodiscard]] std::optional<StopMode> stop_request() const { return jobs::stop_request(folder_); }

  /// Appends whole lines or nothing. Errors: io_failure, disk_full.
  [[nodiscard]] Expected<void> append_progress(const nlohmann::json& line) const;
  [[nodiscard]] Expected<void> log(std::string_view text) const;

  /// Drops progress lines of steps after `step` and a cut last line: a resumed run says them again. Errors:
  /// not_a_regular_file, io_failure, disk_full; the file is as it was then.
  [[nodiscard]] Expected<void> rewind_progress(std::int64_t step) const;

  [[nodiscard]] std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  [[nodiscard]] std::filesystem::path tokenizer() const { return folder_ / "tokenizer.model"; }
  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }

 private:
  JobFolder(std::filesystem::path folder, UniqueDescriptor lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  [[nodiscard]] Expected<void> append(const char* name, std::string_view text) const;
  void release_reserve() const;

  std::filesystem::path folder_;
  UniqueDescriptor lock_;
  ProcessIdentity process_ = this_process();
  std::chrono::steady_clock::time_point status_written_{};
};

}  // namespace natscope::jobs
