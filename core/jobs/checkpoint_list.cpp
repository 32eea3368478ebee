// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/checkpoint_list.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace natscope::jobs {

namespace fs = std::filesystem;

std::string checkpoint_name(std::int64_t step) {
  char text[32];
  std::snprintf(text, sizeof text, "step-%06lld", static_cast<long long>(step));
  return text;
}

std::optional<std::int64_t> checkpoint_step(const std::string& name) {
  constexpr std::string_view prefix = "step-";
  if (!name.starts_with(prefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* const end = name.data() + name.size();
  const auto [stopped, problem] = std::from_chars(name.data() + prefix.size(), end, step);
  if (problem != std::errc() || stopped != end || step < 0 || name != checkpoint_name(step)) return std::nullopt;
  return step;
}

std::vector<CheckpointEntry> list_checkpoints(const fs::path& checkpoints) {
  std::vector<CheckpointEntry> found;
  std::error_code problem;
  for (fs::directory_iterator entry(checkpoints, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    std::error_code ignored;
    if (entry->symlink_status(ignored).type() != fs::file_type::directory) continue;
    if (const auto step = checkpoint_step(entry->path().filename().string())) found.push_back({*step, entry->path()});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step > b.step; });
  return found;
}

}  // namespace natscope::jobs
