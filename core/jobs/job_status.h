// SPDX-License-Identifier: GPL-3.0-or-later
/// How far a job is: status.json and launch.json, held against the processes that are really there.
///
///   status.json  {state, pid, host, process_started, boot, step, steps, updated, error}, by the trainer, at most once
///                a second; a folder of an older version has no host, process_started and boot
///   launch.json  {runner, pid, host, process_started, boot, output_bytes} or {runner, slurm_job, ended, ended_words},
///                by whoever started the trainer or saw the cluster end it; an older version has no output_bytes
/// The younger of the two has the last word, unless its process is gone and the other one's at work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/base/expected.h"
#include "core/jobs/job_state.h"
#include "core/jobs/process_identity.h"

namespace natscope::jobs {

enum class RunnerKind { local, slurm };

[[nodiscard]] const char* name(RunnerKind kind);

/// Who was asked to run the job, the last time.
struct LaunchRecord {
  RunnerKind runner = RunnerKind::local;
  ProcessIdentity process;  ///< of a local one
  std::string slurm_job;    ///< digits; of a cluster's
  /// Where the cluster ended a job whose trainer could not say so: killed or failed, and the cluster's words.
  std::optional<JobState> ended;
  std::string ended_words;
  std::uint64_t output_bytes = 0;  ///< of a local one: what output.txt held already, which others said
};

struct JobStatus {
  JobState state = JobState::created;
  std::int64_t step = 0;
  std::int64_t steps = 0;       ///< 0: not known yet
  ProcessIdentity process;      ///< pid 0: none yet
  std::string updated;          ///< UTC, "2026-01-31T12:00:00Z"; empty: never
  std::string error;            ///< a failed job's line, "error: CODE: what; what to do"
  std::string cluster;          ///< what the cluster says of it, "PENDING (Resources)"; empty: nothing
  bool stop_requested = false;  ///< it ends after the step in work
  std::optional<LaunchRecord> launch;
};

/// What the folder and this machine's processes say; asks no cluster, so a Slurm job is `queued` until its trainer
/// speaks, and `running` until JobRunner::observe() looks. Cheap: two small files and /proc. Any thread.
///   running with a process that is gone → killed; launched and gone without a word → failed, with the last error line
///   that its process left in output.txt.
/// Errors: bad_job (the key is named), not_a_regular_file, file_too_large, those of reading files.
[[nodiscard]] Expected<JobStatus> read_job_status(const std::filesystem::path& folder);

/// Errors: bad_job, those of reading files. Nothing when no runner started it.
[[nodiscard]] Expected<std::optional<LaunchRecord>> read_launch_record(const std::filesystem::path& folder);
[[nodiscard]] Expected<void> write_launch_record(const std::filesystem::path& folder, const LaunchRecord& launch);

/// How a job is asked to end: after the step in work and a checkpoint; keep_model also writes the model as it is.
enum class StopMode { resume_later, keep_model };

/// Leaves the request in the folder, where the trainer finds it between two steps, on whatever machine it runs.
/// Errors: those of writing files.
[[nodiscard]] Expected<void> request_stop(const std::filesystem::path& folder, StopMode mode);
[[nodiscard]] std::optional<StopMode> stop_request(const std::filesystem::path& folder);
void withdraw_stop_request(const std::filesystem::path& folder);

}  // namespace natscope::jobs
