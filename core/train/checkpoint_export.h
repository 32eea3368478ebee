// SPDX-License-Identifier: GPL-3.0-or-later
/// A checkpoint of a job as a model that opens, also while its training goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/base/expected.h"

namespace natscope::train {

struct ExportedCheckpoint {
  std::int64_t step = 0;
  std::filesystem::path model;
};

/// Writes the model of one checkpoint of the job in `job` into `out` (empty: job/exports/step-NNNNNN).
///   step  nothing: the newest checkpoint that is whole
/// In the job's folder an export that is there already for that step is taken as it is; another `out` must be new or
/// empty. The trainer may remove the checkpoint at the same
/// time: then this fails, and what was there stays. Memory: 16 bytes a parameter.
/// Errors: usage (`out` holds something), bad_job, bad_checkpoint (no such step, or not whole), bad_tokenizer, those of
/// reading and writing files.
[[nodiscard]] Expected<ExportedCheckpoint> export_checkpoint(const std::filesystem::path& job,
                                                             std::optional<std::int64_t> step,
                                                             std::filesystem::path out);

}  // namespace natscope::train
