// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>

#include "core/jobs/job_field_table.h"
#include "core/jobs/shared_job_fields.h"

namespace natscope::jobs {

namespace {

using Group = FieldGroup;
using Kind = FieldKind;
using shared::with_default;

// Defaults are the command's, which a laptop trains in hours; a form begins with the paper's GPT-2 size.
// clang-format off
constexpr auto fields = std::to_array<JobField>({
    {.option = "data", .flag = "--data", .group = Group::data, .kind = Kind::path, .label = "Text", .default_text = "",
     .explanation = "A folder of plain UTF-8 *.txt files, or one file, that the model learns from.",
     .paper = "PG-19, books", .is_needed = true},
    {.option = "valid", .flag = "--valid", .group = Group::data, .kind = Kind::path, .label = "Held-out text",
     .default_text = "",
     .explanation = "Text that is not trained on, the same way; without it there is no held-out loss.",
     .paper = "PG-19's test books"},
    {.option = "tokenizer", .flag = "--tokenizer", .group = Group::data, .kind = Kind::path, .label = "Tokenizer",
     .default_text = "", .explanation = "A tokenizer.model to use; without one a vocabulary is trained on the text.",
     .paper = "GPT-2's", .is_seldom = true},
    {.option = "init", .flag = "--init", .group = Group::data, .kind = Kind::path, .label = "First weights",
     .default_text = "",
     .explanation = "A model's folder of the same shape to begin with, its vocabulary too; empty: random weights.",
     .paper = "random weights", .is_seldom = true},

    {.option = "layers", .flag = "--layers", .group = Group::model, .kind = Kind::integer, .label = "Layers",
     .default_text = "6", .explanation = "Blocks of attention and feed-forward.", .paper = "12", .form_text = "12",
     .lowest = 1, .highest = 256},
    {.option = "hidden", .flag = "--hidden", .group = Group::model, .kind = Kind::integer, .label = "Hidden size",
     .default_text = "256", .explanation = "Numbers that stand for a token; a multiple of 8.", .paper = "768",
     .form_text = "768", .lowest = 8, .highest = 16384},
    {.option = "heads", .flag = "--heads", .group = Group::model, .kind = Kind::integer, .label = "Query heads",
     .default_text = "8", .explanation = "Attention heads of a layer; they divide the hidden size.", .paper = "12",
     .form_text = "12", .lowest = 1, .highest = 1024},
    {.option = "kv_heads", .flag = "--kv-heads", .group = Group::model, .kind = Kind::integer,
     .label = "Key/value heads", .default_text = "4",
     .explanation = "Heads that the cache holds, shared by the query heads that they divide. Each has roles of its own.",
     .paper = "12", .form_text = "12", .lowest = 1, .highest = 1024},
    {.option = "head_dim", .flag = "--head-dim", .group = Group::model, .kind = Kind::integer,
     .label = "Head dimension", .default_text = "",
     .explanation = "Numbers of a key or value; empty: hidden size / query heads.", .paper = "64", .form_text = "",
     .lowest = 0, .highest = 256, .is_seldom = true},
    {.option = "intermediate", .flag = "--intermediate", .group = Group::model, .kind = Kind::integer,
     .label = "Feed-forward size", .default_text = "",
     .explanation = "Size inside the SwiGLU; empty: 8/3 of the hidden size.", .lowest = 0, .highest = 65536,
     .is_seldom = true},
    {.option = "vocab", .flag = "--vocab", .group = Group::model, .kind = Kind::integer, .label = "Vocabulary",
     .default_text = "4096", .explanation = "Pieces of the vocabulary that is trained on the text.",
     .paper = "GPT-2's 50257", .form_text = "32000", .lowest = 300, .highest = 65535},
    {.option = "context", .flag = "--context", .group = Group::model, .kind = Kind::integer, .label = "Length",
     .default_text = "1024", .explanation = "Tokens of a training segment; the model's context afterwards.",
     .paper = "1024", .lowest = 2, .highest = 131072},
    {.option = "rope_theta", .flag = "--rope-theta", .group = Group::model, .kind = Kind::real, .label = "RoPE base",
     .default_text = "10000", .explanation = "Base of the rotary position embedding.", .lowest = 1, .highest = 1e9,
     .is_seldom = true},

    {.option = "window", .flag = "--window", .group = Group::roles, .kind = Kind::integer, .label = "Window W",
     .default_text = "16", .explanation = "Tokens that a Sliding token stays in the cache.", .paper = "16",
     .lowest = 0, .highest = 131072},
    {.option = "sparse_regularized_value", .flag = "--lambda", .group = Group::roles, .kind = Kind::real,
     .label = "Sparsity λ", .default_text = "5e-09",
     .explanation = "Price of keeping a token, in the paper's scale; a higher one makes the cache smaller.",
     .paper = "0, 1e-9, 5e-9, 1e-8, 1e-7", .form_text = "5e-9", .lowest = 0, .highest = 1},
    {.option = "local_charge", .flag = "--local-charge", .group = Group::roles, .kind = Kind::choice,
     .label = "Locals cost until", .default_text = "sampled",
     .explanation = "The global that ends a Local's price: the sampled one, or the one that inference would choose "
                    "(argmax). With a strong λ, argmax keeps Locals from living for ever.",
     .paper = "sampled", .choices = "sampled argmax", .is_seldom = true},
    {.option = "score_init", .flag = "--score-init", .group = Group::roles, .kind = Kind::real,
     .label = "Scores begin at", .default_text = "0.02",
     .explanation = "Standard deviation of the score layers' first weights. Small ones begin with scores that hardly "
                    "differ; with λ = 0 the share of roles stays near where it began.",
     .lowest = 0, .highest = 100, .is_seldom = true},
    {.option = "full_attention", .flag = "--full-attention", .group = Group::roles, .kind = Kind::yes_no,
     .label = "Full attention", .default_text = "false",
     .explanation = "No score layers, every token Global: the twin that a NAtS model is compared with.",
     .is_seldom = true},
    {.option = "policy", .flag = "--policy", .group = Group::roles, .kind = Kind::text, .label = "Mask",
     .default_text = "model",
     .explanation = "model learns the roles. A fixed mask to compare with: full, window:W, streaming:SINKS,WINDOW or "
                    "longformer:W,P1,P2,…",
     .is_seldom = true},
    with_default(shared::global_bias, "0.1", "0.1 from scratch"),

    {.option = "steps", .flag = "--steps", .group = Group::run, .kind = Kind::integer, .label = "Steps",
     .default_text = "0", .explanation = "Optimiser steps; 0: as many as the epochs need.", .lowest = 0,
     .highest = 1e9},
    {.option = "epochs", .flag = "--epochs", .group = Group::run, .kind = Kind::real, .label = "Epochs",
     .default_text = "1", .explanation = "Times that the text is read, where no steps are given.", .lowest = 1e-6,
     .highest = 1e4},
    {.option = "batch", .flag = "--batch", .group = Group::run, .kind = Kind::integer, .label = "Batch",
     .default_text = "8", .explanation = "Segments of a step. λ is scaled to it.", .paper = "480", .form_text = "480",
     .lowest = 1, .highest = 65536},
    {.option = "micro_batch", .flag = "--micro-batch", .group = Group::run, .kind = Kind::integer,
     .label = "Computed at a time", .default_text = "",
     .explanation = "Segments in memory at once, a divisor of the batch; empty: all of a step's.", .form_text = "8",
     .lowest = 0, .highest = 65536},
    {.option = "learning_rate", .flag = "--lr", .group = Group::run, .kind = Kind::real, .label = "Learning rate",
     .default_text = "0.001", .explanation = "The highest, reached after the warm-up; a cosine falls from it.",
     .paper = "6e-4", .form_text = "6e-4", .lowest = 0, .highest = 10},
    {.option = "final_learning_rate_ratio", .flag = "--final-lr-ratio", .group = Group::run, .kind = Kind::real,
     .label = "Last over highest", .default_text = "0.1",
     .explanation = "What the cosine ends at, as a share of the learning rate.", .paper = "0.1", .lowest = 0,
     .highest = 1, .is_seldom = true},
    {.option = "warmup_steps", .flag = "--warmup", .group = Group::run, .kind = Kind::integer, .label = "Warm-up",
     .default_text = "100", .explanation = "Steps in which the learning rate rises.", .paper = "2000",
     .form_text = "2000", .lowest = 0, .highest = 1e9},
    shared::beta1,
    shared::beta2,
    shared::weight_decay,
    shared::clip,
    {.option = "seed", .flag = "--seed", .group = Group::run, .kind = Kind::integer, .label = "Seed",
     .default_text = "0", .explanation = "Of weights, order and role noise: equal seeds, equal losses.",
     .paper = "three of them", .lowest = 0},
    {.option = "dtype", .flag = "--dtype", .group = Group::run, .kind = Kind::choice, .label = "Products in",
     .default_text = "bfloat16", .explanation = "What matrix products are computed in; sums stay in float32.",
     .choices = "bfloat16 float32", .is_seldom = true},
    shared::threads,
    shared::ranks,

    with_default(shared::checkpoint_every, "200"),
    shared::checkpoints_kept,
    with_default(shared::evaluate_every, "500"),
    {.option = "evaluate_segments", .flag = "--eval-segments", .group = Group::record, .kind = Kind::integer,
     .label = "Evaluation segments", .default_text = "16",
     .explanation = "Segments of an evaluation; the last one reads four times as many.", .lowest = 1, .highest = 1e6,
     .is_seldom = true},
});
// clang-format on

}  // namespace

std::span<const JobField> train_job_fields() { return fields; }

}  // namespace natscope::jobs
