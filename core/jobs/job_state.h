// SPDX-License-Identifier: GPL-3.0-or-later
/// What a job is doing, in one word; the words stand in status.json and in `natscope-cli jobs --json`.
#pragma once

#include <optional>
#include <string_view>

namespace natscope::jobs {

enum class JobState {
  created,      ///< described, never started
  queued,       ///< handed to a cluster that has not begun it
  starting,     ///< its process lives and has not said anything yet
  running,      ///< at work
  stopped,      ///< ended after a step because somebody asked for it; has a checkpoint
  interrupted,  ///< ended by Ctrl+C or SIGTERM in the middle of a step
  finished,     ///< every step done, the model written
  failed,       ///< ended by an error, which the status holds
  killed,       ///< its process is gone without a word
};

[[nodiscard]] const char* name(JobState state);
[[nodiscard]] std::optional<JobState> job_state_from_name(std::string_view name);

/// queued, starting or running: somebody works on it, or will.
[[nodiscard]] bool is_active(JobState state);
/// Whether `start` can go on with it: anything that is neither active nor finished.
[[nodiscard]] bool is_resumable(JobState state);

}  // namespace natscope::jobs
