// SPDX-License-Identifier: GPL-3.0-or-later
/// Checkpoints of a run: folders `checkpoints/step-000123/` that are there whole or not at all.
///
/// A checkpoint is filled as a hidden temporary folder, every file synced, with `manifest.json` (name, size and SHA-256
/// of each file) written last; then it is renamed and its parent synced. After a kill at any moment the newest valid
/// checkpoint is the one before or the new one.
///   weights.safetensors     f32 master weights under their Hugging Face names
///   optimizer.safetensors   `first.NAME`, `second.NAME`: AdamW's moments, f32
///   state.json              step, and digests of what the run reads
/// Random numbers need no state: they are functions of seed and step (counter_random.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/train/checkpoints/checkpoint_files.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

/// What a run reads, by what it is ("training text"), as a SHA-256 of its contents.
using RunInputs = std::map<std::string, std::string>;

/// What a run is between two steps. The arrays are [layout.size].
struct TrainingState {
  std::int64_t step = 0;  ///< finished steps
  std::vector<float> weights;
  std::vector<float> first_moment;
  std::vector<float> second_moment;
  RunInputs inputs;  ///< empty for inputs whose digest is unknown (checkpoints of older versions)
};

/// Writes `folder`/step-NNNNNN (an existing valid one of that step is kept), then removes all but the newest `keep`,
/// and nothing that is_only_a_checkpoint() does not know. `verified` (here and below): what this process knows to be
/// whole is not hashed again. Errors: those of writing files (io_failure also where another program's folder has the
/// name); the earlier checkpoints stay as they were.
[[nodiscard]] Expected<void> write_checkpoint(const std::filesystem::path& folder, const ParameterLayout& layout,
                                              const TrainingState& state, int keep,
                                              VerifiedCheckpoints* verified = nullptr);

/// The newest checkpoint whose manifest holds; broken ones are passed over. Nothing when there is none. Errors: those
/// of reading files; a disk that fails for a moment must not send a run back to an older checkpoint.
[[nodiscard]] Expected<std::optional<std::filesystem::path>> newest_valid_checkpoint(
    const std::filesystem::path& folder, VerifiedCheckpoints* verified = nullptr);

/// Errors: bad_checkpoint (manifest, sizes, names or shapes do not fit the layout), those of reading files.
[[nodiscard]] Expected<TrainingState> read_checkpoint(const std::filesystem::path& checkpoint,
                                                      const ParameterLayout& layout,
                                                      VerifiedCheckpoints* verified = nullptr);

/// Removes what killed writers left behind.
void remove_unfinished_checkpoints(const std::filesystem::path& folder);

}  // namespace natscope::train
