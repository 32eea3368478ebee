// SPDX-License-Identifier: GPL-3.0-or-later
/// What a Slurm cluster says of its jobs: squeue, and sacct for those that squeue has forgotten.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/base/cancel.h"
#include "core/jobs/job_state.h"

namespace natscope::jobs {

struct ClusterWord {
  std::string word;    ///< "PENDING"; empty: the cluster does not know the job any more
  std::string detail;  ///< "Resources", a node's name, an exit code; why there is no answer
  bool answered = false;
};

/// A cluster's word for a job ("PENDING", "CANCELLED by 1000", "OUT_OF_MEMORY") as ours; nothing for a word that is
/// none of Slurm's. Source: squeue(1), job state codes.
[[nodiscard]] std::optional<JobState> job_state_from_slurm(std::string_view word);

/// Of each of these jobs (numbers, as sbatch says them), whatever happens: one call of squeue, and one of sacct where
/// it does not know them all. Waits for up to 20 s each; after `stop` for nothing.
[[nodiscard]] std::map<std::string, ClusterWord> ask_cluster(const std::set<std::string>& jobs,
                                                             const StopToken& stop = {});

}  // namespace natscope::jobs
