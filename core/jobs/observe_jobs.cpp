// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/observe_jobs.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "core/jobs/slurm_runner.h"

namespace natscope::jobs {

Expected<void> observe_jobs(std::span<JobEntry> jobs, const StopToken& stop) {
  return ClusterWatch().observe(jobs, stop);
}

Expected<void> ClusterWatch::observe(std::span<JobEntry> jobs, const StopToken& stop) {
  const auto is_asked_for = [](const JobEntry& job) { return !job.problem && is_with_cluster(job.status); };
  std::set<std::string> numbers;
  for (const JobEntry& job : jobs) {
    if (is_asked_for(job)) numbers.insert(job.status.launch->slurm_job);
  }
  const auto now = std::chrono::steady_clock::now();
  const auto is_known = [&](const std::string& number) { return words_.contains(number); };
  if (now - asked_ >= asked_every || !std::ranges::all_of(numbers, is_known)) {
    auto words = ask_cluster(numbers, stop);
    // What was not waited for to its end is no answer.
    NATSCOPE_CHECK(check(stop));
    words_ = std::move(words);
    asked_ = std::chrono::steady_clock::now();
  }
  for (JobEntry& job : jobs) {
    if (!is_asked_for(job)) continue;
    auto status = with_word_of_cluster(job.folder, job.status, words_.at(job.status.launch->slurm_job));
    if (status) job.status = std::move(*status);
  }
  return {};
}

}  // namespace natscope::jobs
