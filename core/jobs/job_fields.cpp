// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace natscope::jobs {

namespace {

using Group = FieldGroup;
using Kind = FieldKind;

constexpr auto train_fields = std::to_array<JobField>({
    {"data", "--data", Group::data, Kind::path, "Text", "",
     "A folder of plain UTF-8 *.txt files, or one file, that the model learns from.", "PG-19, books"},
    {"valid", "--valid", Group::data, Kind::path, "Held-out text", "",
     "Text that is not trained on, to see how well the model does on what it has not read.", "PG-19's test books"},
    {"tokenizer", "--tokenizer", Group::data, Kind::path, "Tokenizer", "",
     "A tokenizer.model to use; without one a vocabulary is trained on the text.", "GPT-2's"},
    {"out", "--out", Group::data, Kind::path, "Model folder", "",
     "Where the finished model goes; inside the job's folder when nothing is said.", ""},

    {"layers", "--layers", Group::model, Kind::integer, "Layers", "6", "Blocks of attention and MLP.", "12", 1, 256},
    {"hidden", "--hidden", Group::model, Kind::integer, "Hidden size", "256",
     "Numbers that stand for a token; a multiple of 8.", "768", 8, 16384},
    {"heads", "--heads", Group::model, Kind::integer, "Query heads", "8", "Attention heads of a layer.", "12", 1, 1024},
    {"kv_heads", "--kv-heads", Group::model, Kind::integer, "Key/value heads", "4",
     "Heads that the cache holds; a divisor of the query heads, which share them. Each has roles of its own.", "12", 1,
     1024},
    {"head_dim", "--head-dim", Group::model, Kind::integer, "Head dimension", "",
     "Numbers of a key or value; hidden size / query heads when nothing is said.", "64", 0, 256},
    {"intermediate", "--intermediate", Group::model, Kind::integer, "MLP size", "",
     "Size inside the SwiGLU; 8/3 of the hidden size when nothing is said.", "", 0, 65536},
    {"vocab", "--vocab", Group::model, Kind::integer, "Vocabulary", "4096", "Pieces of the vocabulary that is trained.",
     "50257", 300, 65535},
    {"context", "--context", Group::model, Kind::integer, "Context", "1024", "Tokens of a training segment.", "1024", 2,
     131072},
    {"rope_theta", "--rope-theta", Group::model, Kind::real, "RoPE base", "10000",
     "Base of the rotary position embedding.", "", 1, 1e9},

    {"full_attention", "--full-attention", Group::roles, Kind::yes_no, "Full attention", "false",
     "No score layers: every token is Global. The twin that a NAtS model is compared with.", ""},
    {"window", "--window", Group::roles, Kind::integer, "Window W", "16",
     "Tokens that a Sliding token stays in the cache.", "16", 0, 131072},
    {"sparse_regularized_value", "--lambda", Group::roles, Kind::real, "Sparsity λ", "5e-09",
     "How strongly long-lived roles are discouraged, in the paper's scale; more makes the cache smaller.",
     "0, 1e-9, 5e-9, 1e-8, 1e-7", 0, 1},
    {"global_bias", "--global-bias", Group::roles, Kind::real, "Global bias b", "0.1",
     "Added to the Global score when the model is used, not while it is trained.", "0.1 from scratch", -100, 100},

    {"steps", "--steps", Group::run, Kind::integer, "Steps", "0", "Optimiser steps; 0 takes as many as --epochs needs.",
     "", 0, 1e9},
    {"epochs", "--epochs", Group::run, Kind::real, "Epochs", "1",
     "Times that the text is read, where no steps are given.", "", 1e-6, 1e4},
    {"batch", "--batch", Group::run, Kind::integer, "Batch", "8", "Segments of a step. λ is scaled to it.", "480", 1,
     65536},
    {"micro_batch", "--micro-batch", Group::run, Kind::integer, "Micro-batch", "",
     "Segments computed at a time, a divisor of the batch; fewer need less memory. All of them when nothing is said.",
     "", 0, 65536},
    {"learning_rate", "--lr", Group::run, Kind::real, "Learning rate", "0.001",
     "The highest, reached after the warm-up.", "6e-4", 0, 10},
    {"final_learning_rate_ratio", "--final-lr-ratio", Group::run, Kind::real, "Last over highest", "0.1",
     "What the cosine ends at, as a share of the learning rate.", "0.1", 0, 1},
    {"warmup_steps", "--warmup", Group::run, Kind::integer, "Warm-up", "100", "Steps in which the learning rate rises.",
     "2000", 0, 1e9},
    {"beta1", "--beta1", Group::run, Kind::real, "AdamW β₁", "0.9", "Memory of AdamW's first moment.", "0.9", 0,
     0.99999},
    {"beta2", "--beta2", Group::run, Kind::real, "AdamW β₂", "0.95", "Memory of AdamW's second moment.", "0.95", 0,
     0.9999999},
    {"weight_decay", "--weight-decay", Group::run, Kind::real, "Weight decay", "0.1", "Of matrices, not of norms.",
     "0.1", 0, 10},
    {"clip", "--clip", Group::run, Kind::real, "Gradient clip", "1",
     "Largest norm of the gradient, score layers left out.", "", 1e-9, 1e9},
    {"seed", "--seed", Group::run, Kind::integer, "Seed", "0",
     "Of weights, order and role noise: equal seeds, equal losses.", "three seeds", 0},
    {"dtype", "--dtype", Group::run, Kind::choice, "Products in", "bfloat16", "What matrix products are computed in.",
     "", 0, 0, "bfloat16 float32"},
    {"threads", "--threads", Group::run, Kind::integer, "Threads", "",
     "Of this machine's processor; all when nothing is said.", "", 0, 1024},

    {"checkpoint_every", "--checkpoint-every", Group::record, Kind::integer, "Checkpoint every", "200",
     "Steps between checkpoints: as much is lost when the machine fails.", "", 1, 1e9},
    {"checkpoints_kept", "--keep", Group::record, Kind::integer, "Checkpoints kept", "2",
     "The newest ones; two at least.", "", 2, 1000},
    {"evaluate_every", "--eval-every", Group::record, Kind::integer, "Evaluate every", "500",
     "Steps between evaluations on held-out text; 0: only at the end.", "", 0, 1e9},
    {"evaluate_segments", "--eval-segments", Group::record, Kind::integer, "Evaluation segments", "16",
     "Segments of an evaluation; the last one reads four times as many.", "", 1, 1e6},
});

std::string range_text(const JobField& field) {
  const auto number = [](double value) {
    std::array<char, 32> text{};
    return std::string(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
  };
  if (std::isfinite(field.highest)) return "from " + number(field.lowest) + " to " + number(field.highest);
  return "of " + number(field.lowest) + " or more";
}

std::optional<double> number_of(FieldKind kind, std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
  if (kind == FieldKind::integer && !digits) return std::nullopt;
  return value;
}

bool same_value(const JobField& field, const std::string& text) {
  if (text.empty() || text == field.default_text) return true;
  if (field.kind != FieldKind::real && field.kind != FieldKind::integer) return false;
  const auto value = number_of(FieldKind::real, text);
  const std::string_view usual = *field.default_text == '\0' ? "0" : field.default_text;
  return value && value == number_of(FieldKind::real, usual);
}

bool is_one_of(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const auto end = std::min(choices.find(' '), choices.size());
    if (choices.substr(0, end) == text) return true;
    choices.remove_prefix(std::min(choices.size(), end + 1));
  }
  return false;
}

}  // namespace

const char* name(FieldGroup group) {
  switch (group) {
    case FieldGroup::data:
      return "Data";
    case FieldGroup::model:
      return "Model";
    case FieldGroup::roles:
      return "Roles";
    case FieldGroup::run:
      return "Run";
    case FieldGroup::record:
      return "Checkpoints and evaluation";
  }
  return "";
}

std::span<const JobField> job_fields(JobKind kind) {
  return kind == JobKind::train ? std::span<const JobField>(train_fields) : std::span<const JobField>();
}

const JobField* find_job_field(JobKind kind, std::string_view option) {
  const auto fields = job_fields(kind);
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const JobField& field) { return option == field.option; });
  return found == fields.end() ? nullptr : &*found;
}

Expected<void> check_field(const JobField& field, std::string_view text) {
  if (text.empty()) return {};
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::usage, std::string(field.label) + ": " + printable(text, 60) + " is " + what,
                "see what stands beside the field");
  };
  switch (field.kind) {
    case FieldKind::path:
      return text.find('\0') == std::string_view::npos ? Expected<void>() : wrong("no path");
    case FieldKind::choice:
      return is_one_of(field.choices, text) ? Expected<void>() : wrong("none of: " + std::string(field.choices));
    case FieldKind::yes_no:
      return text == "true" || text == "false" ? Expected<void>() : wrong("neither true nor false");
    case FieldKind::integer:
    case FieldKind::real:
      break;
  }
  const auto value = number_of(field.kind, text);
  if (!value) return wrong(field.kind == FieldKind::integer ? "no whole number" : "no number");
  if (*value < field.lowest || *value > field.highest) return wrong("not a value " + range_text(field));
  return {};
}

std::vector<std::string> job_flags(JobKind kind, std::span<const JobOption> options) {
  std::vector<std::string> words;
  bool has_steps = false;
  for (const JobField& field : job_fields(kind)) {
    const auto option =
        std::find_if(options.begin(), options.end(), [&](const JobOption& o) { return o.name == field.option; });
    if (option == options.end() || same_value(field, option->text)) continue;
    has_steps = has_steps || std::string_view(field.option) == "steps";
    // The command takes steps or epochs, and steps say more.
    if (has_steps && std::string_view(field.option) == "epochs") continue;
    words.emplace_back(field.flag);
    if (field.kind != FieldKind::yes_no) words.push_back(option->text);
  }
  return words;
}

}  // namespace natscope::jobs
