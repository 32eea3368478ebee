// SPDX-License-Identifier: GPL-3.0-or-later
/// Starting programs without a shell: one that outlives its starter, and one whose answer is read.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/jobs/process_identity.h"

namespace natscope::jobs {

/// Starts argv[0] (a path) in a session of its own, as a child of init: nothing from the starter's terminal, window or
/// pipes reaches it. Standard input is empty; both outputs are appended to `output`.
///
/// `before` is called with the new process's identity before the program begins; when it fails nothing is started.
/// Errors: file_not_found and io_failure (the program cannot be run), those of `before`.
[[nodiscard]] Expected<ProcessIdentity> start_detached(
    const std::vector<std::string>& argv, const std::filesystem::path& output,
    const std::function<Expected<void>(const ProcessIdentity&)>& before);

struct ProgramAnswer {
  int exit_code = -1;  ///< -signal when a signal ended it
  std::string out;     ///< at most 1 MiB of each
  std::string err;
};

/// Runs argv (argv[0] is looked for in PATH) and waits for its end; after `limit`, and when `stop` is asked for, it is
/// killed. Errors: file_not_found (no such program), io_failure (no process, or not done in time), interrupted.
[[nodiscard]] Expected<ProgramAnswer> run_for_answer(const std::vector<std::string>& argv,
                                                     std::chrono::milliseconds limit = std::chrono::seconds(20),
                                                     const StopToken& stop = {});

}  // namespace natscope::jobs
