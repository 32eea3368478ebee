// SPDX-License-Identifier: GPL-3.0-or-later
/// What training steps are measured on, and how much arithmetic they are.
#pragma once

#include <cstdint>
#include <vector>

#include "app/cli/bench/random_model.h"
#include "core/train/options/train_options.h"

namespace natscope::bench {

/// Training from scratch at a shape, `segments` of `context` tokens a step. Errors: usage (a shape that cannot be).
[[nodiscard]] Expected<train::TrainOptions> training_options(const ModelShape& shape, int segments,
                                                             std::int64_t context, kernels::ElementType dtype,
                                                             bool full_attention);

/// `count` token ids of a vocabulary, always the same.
[[nodiscard]] std::vector<std::int32_t> training_tokens(std::int64_t count, int vocab, std::int64_t first = 0);

/// Floating-point operations of one segment of `tokens`: products of all matrices, twice as many backward, and the
/// causal half of attention likewise. What roles let attention leave out is not taken off.
[[nodiscard]] double training_flop(const ModelShape& shape, std::int64_t tokens);

/// Of a fine-tuning step of score layers on one document: teacher, student, and in the backward pass the student again
/// and the gradients of its activations; no gradients of frozen matrices, no logits. Attention as above, its forward
/// pass three times.
[[nodiscard]] double distillation_flop(const ModelShape& shape, std::int64_t tokens);

}  // namespace natscope::bench
