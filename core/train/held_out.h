// SPDX-License-Identifier: GPL-3.0-or-later
/// Loss and roles on held-out text, in the model that is being trained.
#pragma once

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/passes/training_model.h"
#include "core/train/reports.h"
#include "core/train/text/corpus.h"

namespace natscope::train {

/// Checks that the text has a whole segment, before the first step instead of after the last. Errors: bad_data.
[[nodiscard]] Expected<void> check_held_out(const Corpus& text, std::int64_t context);

/// Up to `segments` segments, spread evenly over the text; `micro_batch` as the model was made for. Bits per byte are
/// of the text that these predict, in the bytes of `tokenizer`'s pieces. Errors: bad_data (less text than a segment),
/// interrupted, and those of TrainingModel::evaluate().
[[nodiscard]] Expected<Evaluation> evaluate_held_out(TrainingModel& model, const ModelConfig& config, int micro_batch,
                                                     const Corpus& text, const Tokenizer& tokenizer, int segments,
                                                     const StopToken& stop);

}  // namespace natscope::train
