// SPDX-License-Identifier: GPL-3.0-or-later
/// Whether a run may write where it is told to: nothing is written over or deleted that is not its own.
#pragma once

#include <filesystem>
#include <optional>

#include "core/base/expected.h"

namespace natscope::train {

/// The folders of one run, before anything is written.
struct RunFolders {
  std::filesystem::path job;
  std::filesystem::path out;  ///< for the finished model; may be `job`
  bool resume = false;
  /// train: the vocabulary to use, empty where one is trained; unset: the run chooses none (finetune). It may lie in
  /// `job` or `out`.
  std::optional<std::filesystem::path> vocabulary;
};

/// Whether the run may begin, or go on, in its job's folder. Where one failed before its first step, a new one may
/// begin. Errors: usage (none named; in use; something else lies in it), bad_job (nothing to resume).
[[nodiscard]] Expected<void> check_job_folder(const RunFolders& run);
/// Whether its model may be written to `out`: a run that has a checkpoint may have written it before. Errors: usage.
[[nodiscard]] Expected<void> check_model_folder(const RunFolders& run);
/// The same for a model that belongs to no run. Errors: usage.
[[nodiscard]] Expected<void> check_export_folder(const std::filesystem::path& out);

}  // namespace natscope::train
