// SPDX-License-Identifier: GPL-3.0-or-later
/// Training a NAtS model from scratch on plain text.
///
///     TrainOptions options;
///     options.data = "books/train"; options.job = options.out = "my-model";
///     auto result = train::train(options, /*resume=*/false, {}, stop);
///
/// Runs on the calling thread, with options.threads threads inside. Memory: 16 bytes a parameter (on a GPU up to
/// 22: the gradient of a pass beside their sum, and bf16 copies) and the activations of a micro-batch. A stop is
/// answered within a layer; the step in work is given up and the last checkpoint, or a new one where that takes no
/// time, is what `resume` continues from. Source: the rules, sections 6 – 8.
#pragma once

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/train/options/train_options.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/reports.h"

namespace natscope::train {

/// Trains and writes the model folder. `resume`: go on in options.job from its newest valid checkpoint with the options
/// in its spec.json (of `options` only
/// `job` is read, and `out` where it is not empty).
/// `ranks`: the processes that share every step, as join_ranks() gives them; none: this one alone. Their losses are
/// those of one process to rounding, and what one number of ranks began another one goes on with. Errors: usage
/// (options; a job folder in use without `resume`), bad_data, bad_job, bad_checkpoint, bad_tokenizer, interrupted,
/// out_of_memory, those of reading and writing files.
[[nodiscard]] Expected<TrainResult> train(TrainOptions options, bool resume, const TrainListener& listener,
                                          const StopToken& stop, RankGroup* ranks = nullptr);

/// What can be known to be wrong before a run is begun: options, texts, vocabulary, the model to begin with, and the
/// folder for its result. Errors: as train().
[[nodiscard]] Expected<TrainOptions> checked(TrainOptions options);

}  // namespace natscope::train
