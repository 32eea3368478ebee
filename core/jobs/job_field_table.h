// SPDX-License-Identifier: GPL-3.0-or-later
/// The tables behind job_fields(). Private to core/jobs.
#pragma once

#include <span>

#include "core/jobs/job_fields.h"

namespace natscope::jobs {

[[nodiscard]] std::span<const JobField> train_job_fields();
[[nodiscard]] std::span<const JobField> finetune_job_fields();

}  // namespace natscope::jobs
