// SPDX-License-Identifier: GPL-3.0-or-later
/// Jobs as processes of this machine: own session, output in the job's folder, alive until they end.
#pragma once

#include "core/jobs/job_runner.h"

namespace natscope::jobs {

class LocalRunner final : public JobRunner {
 public:
  explicit LocalRunner(RunnerOptions options) : options_(std::move(options)) {}

  Expected<void> start(const std::filesystem::path& folder) override;
  Expected<JobStatus> observe(const std::filesystem::path& folder) override;
  /// SIGKILL, to the recorded process and to no other that has its pid by now.
  Expected<void> cancel(const std::filesystem::path& folder) override;

 private:
  RunnerOptions options_;
};

}  // namespace natscope::jobs
