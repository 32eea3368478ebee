// SPDX-License-Identifier: GPL-3.0-or-later
/// What can be said about a training job, field by field: for forms that describe one, and the command that a form
/// makes.
///
///     for (const JobField& field : job_fields(JobKind::train)) …     // one line of the form each
///     auto words = job_flags(JobKind::train, {{"data", "/books"}, {"layers", "12"}});
///     // {"--data", "/books", "--layers", "12"}: behind `natscope-cli train --detach`
///
/// The command line checks values when it gets them; ranges here are for marking a field while it is typed. Tests hold
/// the table to core/train's options (names, defaults, ranges) and to the flags that natscope-cli has.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/jobs/job_spec.h"

namespace natscope::jobs {

/// A list is some of the choices, joined by commas.
enum class FieldKind { path, text, integer, real, choice, list, yes_no };
enum class FieldGroup { data, model, roles, run, record };

[[nodiscard]] const char* name(FieldGroup group);

struct JobField {
  const char* option;  ///< its name in spec.json, "learning_rate"
  const char* flag;    ///< "--lr"
  FieldGroup group;
  FieldKind kind;
  const char* label;                ///< "Learning rate"
  const char* default_text;         ///< what the command does without the flag; empty: nothing, or worked out
  const char* explanation;          ///< a sentence or two for whoever has not read the paper
  const char* paper = "";           ///< the paper's or its code's value and where it holds; empty: it names none
  const char* form_text = nullptr;  ///< what a form begins with, the paper's value where one holds; null: the default
  double lowest = -std::numeric_limits<double>::infinity();
  double highest = std::numeric_limits<double>::infinity();
  const char* choices = "";  ///< of a choice or list, joined by blanks
  bool is_needed = false;    ///< there is no job without it
  bool is_seldom = false;    ///< a form may fold it away

  [[nodiscard]] const char* first_text() const { return form_text != nullptr ? form_text : default_text; }
};

/// In the order of a form: fields of a group stand together.
[[nodiscard]] std::span<const JobField> job_fields(JobKind kind);
[[nodiscard]] const JobField* find_job_field(JobKind kind, std::string_view option);

/// Whether a text can be the field's value; an empty one can where the field is not needed. Errors: usage, a sentence
/// for the form.
[[nodiscard]] Expected<void> check_field(const JobField& field, std::string_view text);

/// Whether two texts say the same: equal, or equal numbers ("5e-9", "5e-09").
[[nodiscard]] bool same_value(const JobField& field, std::string_view a, std::string_view b);

/// The options that differ from the command's defaults, as flags. Options that are no fields are left out.
[[nodiscard]] std::vector<std::string> job_flags(JobKind kind, std::span<const JobOption> options);

}  // namespace natscope::jobs
