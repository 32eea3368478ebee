// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_runner.h"

#include "core/base/program_folder.h"
#include "core/base/small_file.h"
#include "core/jobs/job_spec.h"
#include "core/jobs/local_runner.h"
#include "core/jobs/slurm_runner.h"

namespace natscope::jobs {

namespace fs = std::filesystem;

std::unique_ptr<JobRunner> make_runner(RunnerKind kind, RunnerOptions options) {
  if (kind == RunnerKind::slurm) return std::make_unique<SlurmRunner>(std::move(options));
  return std::make_unique<LocalRunner>(std::move(options));
}

Expected<std::unique_ptr<JobRunner>> runner_of(const fs::path& folder, RunnerOptions options) {
  NATSCOPE_TRY(const auto launch, read_launch_record(folder));
  // Never begun, but with a batch script: it was described for a cluster.
  const bool is_for_cluster = launch ? launch->runner == RunnerKind::slurm : path_exists(folder / "slurm.sh");
  return make_runner(is_for_cluster ? RunnerKind::slurm : RunnerKind::local, std::move(options));
}

Expected<void> check_startable(const fs::path& folder) {
  NATSCOPE_CHECK(read_job_spec(folder));
  NATSCOPE_TRY(const JobStatus status, read_job_status(folder));
  if (is_active(status.state)) {
    return fail(ErrorCode::bad_job, printable(folder.string()) + " is already " + name(status.state),
                "stop it first: natscope-cli jobs stop");
  }
  if (status.state == JobState::finished) {
    return fail(ErrorCode::bad_job, printable(folder.string()) + " is finished",
                "duplicate it with more steps: natscope-cli jobs duplicate");
  }
  return {};
}

fs::path cli_program() {
  const fs::path folder = program_folder();
  return (folder.empty() ? fs::path("/usr/bin") : folder) / "natscope-cli";
}

}  // namespace natscope::jobs
