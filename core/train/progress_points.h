// SPDX-License-Identifier: GPL-3.0-or-later
/// Reports of a run as points of progress.jsonl, and for people.
#pragma once

#include <string>

#include "core/jobs/job_progress.h"
#include "core/train/reports.h"

namespace natscope::train {

[[nodiscard]] jobs::StepPoint progress_point(const StepReport& report);
/// Its heads are taken `kv_heads` to a layer.
[[nodiscard]] jobs::EvaluationPoint progress_point(const Evaluation& evaluation, int kv_heads);

/// One line: "step 120/2000  loss 4.1234  9500 tok/s  …  ETA 12:34"; fine-tuning's has "distance 0.0123".
[[nodiscard]] std::string progress_text(const StepReport& report);
[[nodiscard]] std::string evaluation_text(const Evaluation& evaluation);

}  // namespace natscope::train
