// SPDX-License-Identifier: GPL-3.0-or-later
/// Jobs on a Slurm cluster whose nodes see the job's folder: sbatch, squeue, sacct and scancel, run without a shell.
///
/// sbatch is given FOLDER/slurm.sh, which prepare_batch_script() writes once and the user may edit; the cluster's
/// number of the job is kept in launch.json. Submitting again resumes: the script runs `--resume`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/jobs/job_runner.h"

namespace natscope::jobs {

/// A cluster's word for a job ("PENDING", "CANCELLED by 1000", "OUT_OF_MEMORY") as ours; nothing for a word that is
/// none of Slurm's. Source: squeue(1), job state codes.
[[nodiscard]] std::optional<JobState> job_state_from_slurm(std::string_view word);

class SlurmRunner final : public JobRunner {
 public:
  explicit SlurmRunner(RunnerOptions options) : options_(std::move(options)) {}

  /// A job whose number cannot be written down is taken back from the cluster, or the error names it.
  /// Errors also: io_failure with what sbatch said, file_not_found (no sbatch here), those of writing files.
  Expected<void> start(const std::filesystem::path& folder) override;
  Expected<JobStatus> observe(const std::filesystem::path& folder) override;
  Expected<void> cancel(const std::filesystem::path& folder) override;

 private:
  RunnerOptions options_;
};

}  // namespace natscope::jobs
