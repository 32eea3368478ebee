// SPDX-License-Identifier: GPL-3.0-or-later
/// Teaching an existing model its roles: score layers, and LoRA factors or all weights, by distillation.
///
///     FinetuneOptions options;
///     options.model = "llama"; options.data = "books"; options.job = options.out = "llama-roles";
///     auto result = train::finetune(options, /*resume=*/false, {}, stop);
///
/// Runs on the calling thread. Memory: memory_forecast.h. Source: the rules, section 9.
#pragma once

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/train/options/finetune_options.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/reports.h"

namespace natscope::train {

/// Trains, and writes an adapter folder (with Trained::all a model folder) to options.out. `resume`: go on in
/// options.job from its newest valid checkpoint with the options in its spec.json (of `options` only
/// `job` is read, and `out` where it is not empty).
/// `ranks`: the processes that share every step, as join_ranks() gives them; none: this one alone. Their losses are
/// those of one process to rounding, and what one number of ranks began another one goes on with. Errors: usage,
/// bad_data, bad_job, bad_checkpoint, unsupported_model, interrupted, out_of_memory, those of opening the base model,
/// of reading and of writing files.
[[nodiscard]] Expected<TrainResult> finetune(FinetuneOptions options, bool resume, const TrainListener& listener,
                                             const StopToken& stop, RankGroup* ranks = nullptr);

/// What can be known to be wrong before a job is started: options, data and the base model. Errors: as finetune().
[[nodiscard]] Expected<FinetuneOptions> checked(FinetuneOptions options);

}  // namespace natscope::train
