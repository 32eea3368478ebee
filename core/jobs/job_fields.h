// SPDX-License-Identifier: GPL-3.0-or-later
/// What can be said about a training job, field by field: for forms that describe one, and the command that a form
/// makes.
///
///     for (const JobField& field : job_fields(JobKind::train)) …     // one line of the form each
///     auto words = job_flags(JobKind::train, {{"data", "/books"}, {"layers", "12"}});
///     // {"--data", "/books", "--layers", "12"}: behind `natscope-cli train --detach --json`
///
/// The command line checks values when it gets them; ranges here are for marking a field while it is typed. A test
/// holds the table to core/train's options (names, defaults, ranges) and to the flags that natscope-cli has.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/jobs/job_spec.h"

namespace natscope::jobs {

enum class FieldKind { path, integer, real, choice, yes_no };
enum class FieldGroup { data, model, roles, run, record };

[[nodiscard]] const char* name(FieldGroup group);

struct JobField {
  const char* option;  ///< its name in spec.json, "learning_rate"
  const char* flag;    ///< "--lr"
  FieldGroup group;
  FieldKind kind;
  const char* label;         ///< "Learning rate"
  const char* default_text;  ///< what the command does without the flag; empty: nothing, or worked out
  const char* explanation;   ///< a sentence or two for whoever has not read the paper
  const char* paper;         ///< the paper's or its code's value and where it holds; empty: it names none
  double lowest = -std::numeric_limits<double>::infinity();
  double highest = std::numeric_limits<double>::infinity();
  const char* choices = "";  ///< of a choice, joined by blanks
};

/// In the order of a form. Empty for a kind that this version cannot start.
[[nodiscard]] std::span<const JobField> job_fields(JobKind kind);
[[nodiscard]] const JobField* find_job_field(JobKind kind, std::string_view option);

/// Whether a text can be the field's value; an empty one always can. Errors: usage, a sentence for the form.
[[nodiscard]] Expected<void> check_field(const JobField& field, std::string_view text);

/// The options that differ from the defaults, as flags. Options that are no fields are left out.
[[nodiscard]] std::vector<std::string> job_flags(JobKind kind, std::span<const JobOption> options);

}  // namespace natscope::jobs
