// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>

#include "core/jobs/job_field_table.h"
#include "core/jobs/shared_job_fields.h"

namespace natscope::jobs {

namespace {

using Group = FieldGroup;
using Kind = FieldKind;
using shared::with_default;

// The command's defaults are the paper's, so a form begins with them.
// clang-format off
constexpr auto fields = std::to_array<JobField>({
    {.option = "model", .flag = "--model", .group = Group::data, .kind = Kind::path, .label = "Base model",
     .default_text = "",
     .explanation = "Folder of a model with full attention that is to learn its roles.",
     .paper = "Llama-3.1-8B", .is_needed = true},
    {.option = "data", .flag = "--data", .group = Group::data, .kind = Kind::path, .label = "Text", .default_text = "",
     .explanation = "A folder of UTF-8 *.txt files, one of them, or a *.jsonl file (text, prompt and answer, or messages).",
     .paper = "documents of up to 16 000 tokens", .is_needed = true},
    {.option = "valid", .flag = "--valid", .group = Group::data, .kind = Kind::path, .label = "Held-out text",
     .default_text = "",
     .explanation = "Documents that are not trained on, the same way; without them there is no held-out loss."},

    {.option = "trained", .flag = "--train", .group = Group::model, .kind = Kind::choice, .label = "Trained",
     .default_text = "scores",
     .explanation = "scores: score layers alone; lora: with LoRA factors beside projections; all: every weight.",
     .paper = "scores; its public code has LoRA, too", .choices = "scores lora all"},
    {.option = "lora_targets", .flag = "--lora", .group = Group::model, .kind = Kind::list,
     .label = "LoRA on", .default_text = "q_proj,k_proj",
     .explanation = "Projections of attention that get factors of their own: queries, keys, values, output.",
     .paper = "q and k, where its code uses LoRA", .choices = "q_proj k_proj v_proj o_proj", .is_needed = true},
    {.option = "lora_rank", .flag = "--lora-rank", .group = Group::model, .kind = Kind::integer, .label = "LoRA rank",
     .default_text = "8", .explanation = "Columns of the factors: more learn more and cost more.", .lowest = 1,
     .highest = 4096},
    {.option = "lora_alpha", .flag = "--lora-alpha", .group = Group::model, .kind = Kind::real, .label = "LoRA alpha",
     .default_text = "16", .explanation = "The factors' product is scaled by alpha / rank.", .lowest = 1e-6,
     .highest = 1e6},

    {.option = "window", .flag = "--window", .group = Group::roles, .kind = Kind::integer, .label = "Window W",
     .default_text = "256", .explanation = "Tokens that a Sliding token stays in the cache.",
     .paper = "256; 128 nearly as good, 64 bad", .lowest = 0, .highest = 1 << 20},
    {.option = "sparse_regularized_value", .flag = "--lambda", .group = Group::roles, .kind = Kind::real,
     .label = "Sparsity λ", .default_text = "3e-07",
     .explanation = "Price of keeping a token, added as it is, over the batch where that is more than 1; a higher one "
                    "makes the cache smaller.",
     .paper = "3e-7 keeps 15 – 24 % of an 8 B model's cache, 5e-8 41 – 51 %", .form_text = "3e-7", .lowest = 0,
     .highest = 1},
    with_default(shared::global_bias, "0"),

    {.option = "steps", .flag = "--steps", .group = Group::run, .kind = Kind::integer, .label = "Steps",
     .default_text = "7000", .explanation = "Optimiser steps.", .paper = "7000 documents, one a step", .lowest = 1,
     .highest = 1e9, .is_needed = true},
    {.option = "batch", .flag = "--batch", .group = Group::run, .kind = Kind::integer, .label = "Batch",
     .default_text = "1", .explanation = "Documents of a step.", .paper = "1", .lowest = 1, .highest = 65536},
    {.option = "context", .flag = "--length", .group = Group::run, .kind = Kind::integer, .label = "Length",
     .default_text = "", .explanation = "Longest document in tokens; empty: the model's context, at most 16 000.",
     .paper = "up to 16 000", .lowest = 0, .highest = 1 << 20},
    {.option = "passkey", .flag = "--passkey", .group = Group::run, .kind = Kind::real, .label = "Pass keys",
     .default_text = "0.08",
     .explanation = "Share of documents that hide pass keys in the text and ask for them at the end.",
     .paper = "564 of 7000, 0.08", .lowest = 0, .highest = 1},
    {.option = "passkey_keys", .flag = "--passkey-keys", .group = Group::run, .kind = Kind::integer,
     .label = "Keys a document", .default_text = "10",
     .explanation = "Keys of a document with pass keys, each with a name; fewer where they would fill a third of it.",
     .paper = "10", .lowest = 1, .highest = 20, .is_seldom = true},
    {.option = "learning_rate", .flag = "--lr", .group = Group::run, .kind = Kind::real, .label = "Learning rate",
     .default_text = "0.002",
     .explanation = "The highest: from a tenth up over the first fifth of the steps, back over the last. Right for "
                    "score layers; all weights want far less.",
     .paper = "2e-3", .form_text = "2e-3", .lowest = 0, .highest = 10},
    shared::beta1,
    shared::beta2,
    with_default(shared::weight_decay, "0.1"),  // the paper names none for fine-tuning
    shared::clip,
    {.option = "seed", .flag = "--seed", .group = Group::run, .kind = Kind::integer, .label = "Seed",
     .default_text = "0", .explanation = "Of weights, order, pass keys and role noise: equal seeds, equal losses.",
     .lowest = 0},
    {.option = "dtype", .flag = "--dtype", .group = Group::run, .kind = Kind::choice, .label = "Products in",
     .default_text = "float32", .explanation = "What matrix products are computed in; sums stay in float32.",
     .choices = "float32 bfloat16", .is_seldom = true},
    {.option = "rows", .flag = "--rows", .group = Group::run, .kind = Kind::integer, .label = "Rows at a time",
     .default_text = "2048",
     .explanation = "Rows of a feed-forward block that are computed at a time: fewer take less memory.", .lowest = 1,
     .highest = 1 << 20, .is_seldom = true},
    shared::threads,
    shared::ranks,

    with_default(shared::checkpoint_every, "100"),
    shared::checkpoints_kept,
    with_default(shared::evaluate_every, "200"),
    {.option = "evaluate_documents", .flag = "--eval-documents", .group = Group::record, .kind = Kind::integer,
     .label = "Evaluation documents", .default_text = "8",
     .explanation = "Documents of an evaluation; the last one reads four times as many.", .lowest = 1, .highest = 1e6,
     .is_seldom = true},
});
// clang-format on

}  // namespace

std::span<const JobField> finetune_job_fields() { return fields; }

}  // namespace natscope::jobs
