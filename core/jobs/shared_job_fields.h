// SPDX-License-Identifier: GPL-3.0-or-later
/// Fields that a job has whatever it trains, once: the tables behind job_fields() put them in their places and say
/// where theirs differ. Private to core/jobs.
#pragma once

#include "core/jobs/job_fields.h"

namespace natscope::jobs::shared {

/// `field` with the default of one kind of job, and what the paper has there.
[[nodiscard]] constexpr JobField with_default(JobField field, const char* default_text, const char* paper = "") {
  field.default_text = default_text;
  field.paper = paper;
  return field;
}

// clang-format off
inline constexpr JobField global_bias{
    .option = "global_bias", .flag = "--global-bias", .group = FieldGroup::roles, .kind = FieldKind::real,
    .label = "Global bias b", .default_text = "",
    .explanation = "Added to the Global score when the model is used, not while it is trained.",
    .lowest = -100, .highest = 100, .is_seldom = true};

inline constexpr JobField beta1{
    .option = "beta1", .flag = "--beta1", .group = FieldGroup::run, .kind = FieldKind::real, .label = "AdamW β₁",
    .default_text = "0.9", .explanation = "Memory of AdamW's first moment.", .paper = "0.9",
    .lowest = 0, .highest = 0.99999, .is_seldom = true};
inline constexpr JobField beta2{
    .option = "beta2", .flag = "--beta2", .group = FieldGroup::run, .kind = FieldKind::real, .label = "AdamW β₂",
    .default_text = "0.95", .explanation = "Memory of AdamW's second moment.", .paper = "0.95",
    .lowest = 0, .highest = 0.9999999, .is_seldom = true};
inline constexpr JobField weight_decay{
    .option = "weight_decay", .flag = "--weight-decay", .group = FieldGroup::run, .kind = FieldKind::real,
    .label = "Weight decay", .default_text = "0.1", .explanation = "Of matrices, not of norms; where a model is trained on, nor of its embeddings.", .paper = "0.1",
    .lowest = 0, .highest = 10, .is_seldom = true};
inline constexpr JobField clip{
    .option = "clip", .flag = "--clip", .group = FieldGroup::run, .kind = FieldKind::real, .label = "Gradient clip",
    .default_text = "1", .explanation = "Largest norm of the gradient, score layers left out.",
    .lowest = 1e-9, .highest = 1e9, .is_seldom = true};
inline constexpr JobField threads{
    .option = "threads", .flag = "--threads", .group = FieldGroup::run, .kind = FieldKind::integer, .label = "Threads",
    .default_text = "", .explanation = "Of the processor, for all its processes; empty: all.",
    .lowest = 0, .highest = 1024};
inline constexpr JobField ranks{
    .option = "ranks", .flag = "--ranks", .group = FieldGroup::run, .kind = FieldKind::integer, .label = "Processes",
    .default_text = "1",
    .explanation = "Share the rows of every step, over MPI (OpenMPI must be installed); the batch must be a multiple.",
    .lowest = 1, .highest = 4096, .is_seldom = true};

inline constexpr JobField checkpoint_every{
    .option = "checkpoint_every", .flag = "--checkpoint-every", .group = FieldGroup::record,
    .kind = FieldKind::integer, .label = "Checkpoint every", .default_text = "",
    .explanation = "Steps between checkpoints: as much is lost when the machine fails.", .lowest = 1, .highest = 1e9};
inline constexpr JobField checkpoints_kept{
    .option = "checkpoints_kept", .flag = "--keep", .group = FieldGroup::record, .kind = FieldKind::integer,
    .label = "Checkpoints kept", .default_text = "2", .explanation = "The newest ones; two at least.", .lowest = 2,
    .highest = 1000, .is_seldom = true};
inline constexpr JobField evaluate_every{
    .option = "evaluate_every", .flag = "--eval-every", .group = FieldGroup::record, .kind = FieldKind::integer,
    .label = "Evaluate every", .default_text = "",
    .explanation = "Steps between evaluations on held-out text; 0: only at the end.", .lowest = 0, .highest = 1e9};
// clang-format on

}  // namespace natscope::jobs::shared
