// SPDX-License-Identifier: GPL-3.0-or-later
/// The checkpoints of a job, by name: `checkpoints/step-000123/`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace natscope::jobs {

struct CheckpointEntry {
  std::int64_t step = 0;
  std::filesystem::path folder;
};

/// "step-000123"; longer from a million steps on.
[[nodiscard]] std::string checkpoint_name(std::int64_t step);
/// The step of such a name; nothing for any other.
[[nodiscard]] std::optional<std::int64_t> checkpoint_step(const std::string& name);

/// Those in a job's `checkpoints` folder, newest first. They appeared whole; whether their bytes still hold is
/// core/train/checkpoints/checkpoint.h's question, asked when one is opened. Links are passed over. Cost: one folder.
[[nodiscard]] std::vector<CheckpointEntry> list_checkpoints(const std::filesystem::path& checkpoints);

}  // namespace natscope::jobs
