// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_state.h"

#include <array>

namespace natscope::jobs {

namespace {

// In the order of the enum.
constexpr std::array names{"created",     "queued",   "starting", "running", "stopped",
                           "interrupted", "finished", "failed",   "killed"};
static_assert(names.size() == static_cast<std::size_t>(JobState::killed) + 1);

}  // namespace

const char* name(JobState state) { return names[static_cast<std::size_t>(state)]; }

std::optional<JobState> job_state_from_name(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<JobState>(i);
  }
  return std::nullopt;
}

bool is_active(JobState state) {
  return state == JobState::queued || state == JobState::starting || state == JobState::running;
}

bool is_resumable(JobState state) { return !is_active(state) && state != JobState::finished; }

}  // namespace natscope::jobs
