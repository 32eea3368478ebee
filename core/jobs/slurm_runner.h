// SPDX-License-Identifier: GPL-3.0-or-later
/// Jobs on a Slurm cluster whose nodes see the job's folder: sbatch, squeue, sacct and scancel, run without a shell.
///
/// sbatch is given FOLDER/slurm.sh, which prepare_batch_script() writes once and the user may edit; the cluster's
/// number of the job is kept in launch.json. Submitting again resumes: the script runs `--resume`.
#pragma once

#include "core/jobs/job_runner.h"
#include "core/jobs/slurm_queue.h"

namespace natscope::jobs {

/// Whether a cluster knows more of a job than its folder says.
[[nodiscard]] bool is_with_cluster(const JobStatus& status);

/// The status of such a job with its cluster's word. An end that the trainer never spoke of is written into
/// launch.json. Errors: those of reading the status.
[[nodiscard]] Expected<JobStatus> with_word_of_cluster(const std::filesystem::path& folder, JobStatus status,
                                                       const ClusterWord& cluster);

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
