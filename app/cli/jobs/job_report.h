// SPDX-License-Identifier: GPL-3.0-or-later
/// Jobs as text for people and as JSON for scripts.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "app/cli/invocation.h"
#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/jobs/job_progress.h"
#include "core/jobs/job_store.h"
#include "core/jobs/observe_jobs.h"

namespace natscope {

/// {name, folder, kind, state, step, steps, updated, error, runner, slurm_job, cluster, pid, host, stop_requested,
/// problem}; what is not known is null.
[[nodiscard]] nlohmann::json job_json(const jobs::JobEntry& job);

/// What a job's curves have come to: the last step and the last evaluation.
struct LatestPoints {
  std::optional<jobs::StepPoint> step;
  std::optional<jobs::EvaluationPoint> evaluation;
  std::int64_t bad_lines = 0;

  void take(const jobs::NewPoints& news);
};

/// job_json() and {options, command, checkpoints, model, last_step, last_evaluation, bad_progress_lines}.
[[nodiscard]] nlohmann::json job_details_json(const jobs::JobEntry& job, const LatestPoints& latest);

/// One line a job under a header, columns as wide as they need be.
[[nodiscard]] std::string jobs_table(std::span<const jobs::JobEntry> jobs);

/// A job on one screen.
[[nodiscard]] std::string job_details(const jobs::JobEntry& job, const LatestPoints& latest);

/// "step 12/200  loss 4.12  …", fine-tuning's with its distance; "held out after step 200: …".
[[nodiscard]] std::string point_line(const jobs::JobPoint& point, std::int64_t steps, jobs::JobKind kind);

/// The entry of one folder, with its cluster's word. Errors: those of reading the folder, interrupted.
[[nodiscard]] Expected<jobs::JobEntry> observe_job(const std::filesystem::path& folder, const StopToken& stop);
/// The same, of whoever looks again and again.
[[nodiscard]] Expected<jobs::JobEntry> observe_job(const std::filesystem::path& folder, jobs::ClusterWatch& cluster,
                                                   const StopToken& stop);

/// What start, resume and --detach print: the job's name and how to go on, or its JSON. Errors: io_failure.
[[nodiscard]] Expected<void> print_job_started(const std::filesystem::path& folder, const CommandContext& context);

}  // namespace natscope
