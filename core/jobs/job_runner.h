// SPDX-License-Identifier: GPL-3.0-or-later
/// Starting a job, looking after it, and ending it: on this machine, or on a Slurm cluster.
///
///     auto runner = make_runner(RunnerKind::local, {});
///     auto started = runner->start(folder);         // begins or resumes; returns once the process lives
///     auto status = runner->observe(folder);        // any time, from any process
///     request_stop(folder, StopMode::resume_later); // job_status.h: after the step in work
///
/// A job's process runs `natscope-cli train|finetune --job FOLDER --resume` and belongs to nobody: it survives who
/// started it. Every call may wait (a fork, a cluster's answer): keep it off a window's thread. Threads: none shared.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/jobs/job_status.h"

namespace natscope::jobs {

struct RunnerOptions {
  /// natscope-cli; empty: the one beside the running program.
  std::filesystem::path program;
  /// Arguments of sbatch, `--partition=gpu`: they go before the script's own, and into one that is written now.
  std::vector<std::string> sbatch_arguments;
};

class JobRunner {
 public:
  virtual ~JobRunner() = default;

  /// Begins a job or resumes it from its newest valid checkpoint.
  /// Errors: bad_job (no job, already active, finished), and those of the runner.
  [[nodiscard]] virtual Expected<void> start(const std::filesystem::path& folder) = 0;

  /// read_job_status() and what only the runner can see. Errors: as there; a cluster that does not answer is no error:
  /// `cluster` says so.
  [[nodiscard]] virtual Expected<JobStatus> observe(const std::filesystem::path& folder) = 0;

  /// Ends the process now, in the middle of a step; the newest checkpoint stays. A queued job leaves the queue.
  /// Errors: bad_job (nothing runs), io_failure.
  [[nodiscard]] virtual Expected<void> cancel(const std::filesystem::path& folder) = 0;
};

[[nodiscard]] std::unique_ptr<JobRunner> make_runner(RunnerKind kind, RunnerOptions options = {});

/// The runner that launch.json names; where there is none, Slurm's for a job with a batch script, else the local one.
/// Errors: bad_job, those of reading files.
[[nodiscard]] Expected<std::unique_ptr<JobRunner>> runner_of(const std::filesystem::path& folder,
                                                             RunnerOptions options = {});

/// Whether a runner may begin or resume it. Errors: bad_job (no job, already active, finished), those of reading files.
[[nodiscard]] Expected<void> check_startable(const std::filesystem::path& folder);

/// natscope-cli beside the running program, which need not be it.
[[nodiscard]] std::filesystem::path cli_program();

/// FOLDER/slurm.sh: what sbatch is given. Written when it is not there, then left to its user, who may edit it.
/// Errors: bad_job, those of writing files.
[[nodiscard]] Expected<std::filesystem::path> prepare_batch_script(const std::filesystem::path& folder,
                                                                   const RunnerOptions& options = {});

}  // namespace natscope::jobs
