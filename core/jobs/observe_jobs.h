// SPDX-License-Identifier: GPL-3.0-or-later
/// Looking after many jobs at once: a cluster is asked once for all of them.
///
///     auto entries = store.list();                  // what the folders say
///     auto observed = observe_jobs(*entries, stop); // and what only a cluster can see
#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>

#include "core/base/cancel.h"
#include "core/jobs/job_store.h"
#include "core/jobs/slurm_queue.h"

namespace natscope::jobs {

/// JobRunner::observe() for all of them, whose folders were read just now. A cluster that does not answer is no error:
/// `cluster` says so. May wait for one, until `stop` is asked for. Errors: interrupted; the entries are as before then.
[[nodiscard]] Expected<void> observe_jobs(std::span<JobEntry> jobs, const StopToken& stop);

/// The same again and again, of whoever looks at folders often: a cluster is asked less often than they are, at most
/// every two seconds, and at once for a job that it was not asked for before. One thread at a time.
class ClusterWatch {
 public:
  static constexpr std::chrono::seconds asked_every{2};

  [[nodiscard]] Expected<void> observe(std::span<JobEntry> jobs, const StopToken& stop);

 private:
  std::map<std::string, ClusterWord> words_;  // of the jobs that were asked for last
  std::chrono::steady_clock::time_point asked_;
};

}  // namespace natscope::jobs
