// SPDX-License-Identifier: GPL-3.0-or-later
/// --detach, --name, --no-start, --runner and --sbatch: a training command that is started as a job and returns.
///
///     if (options.detach.wanted()) return options.detach.start(spec, job, context);
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/cli/invocation.h"
#include "core/base/expected.h"
#include "core/jobs/job_runner.h"

namespace natscope {

/// Where a job runs; the same flags wherever one is started.
struct RunnerFlags {
  std::string kind;  ///< empty: as the last time, else local
  std::vector<std::string> sbatch;

  void add_to(CLI::App& command);
  [[nodiscard]] jobs::RunnerOptions options() const { return {{}, sbatch}; }
  /// Errors: bad_job, those of reading files.
  [[nodiscard]] Expected<std::unique_ptr<jobs::JobRunner>> runner(const std::filesystem::path& folder) const;
};

class DetachFlags {
 public:
  void add_to(CLI::App& command);

  [[nodiscard]] bool wanted() const { return detach_; }

  /// Describes the job that checked options make (`spec`, as spec.json holds it), starts it (unless --no-start) and
  /// prints where it is.
  ///   job  its folder; empty: --name in the store of jobs, or a name made of the time. An empty `out` in the spec
  ///        becomes the job's `model`.
  /// Errors: usage (the folder is in use), those of JobStore::create() and JobRunner::start().
  [[nodiscard]] Expected<void> start(nlohmann::json spec, const std::filesystem::path& job,
                                     const CommandContext& context) const;

 private:
  bool detach_ = false;
  bool no_start_ = false;
  std::string name_;
  RunnerFlags runner_;
};

}  // namespace natscope
