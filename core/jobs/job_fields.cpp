// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "core/jobs/job_field_table.h"

namespace natscope::jobs {

namespace {

std::string range_text(const JobField& field) {
  const auto number = [](double value) {
    std::array<char, 32> text{};
    return std::string(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
  };
  if (std::isfinite(field.highest)) return "from " + number(field.lowest) + " to " + number(field.highest);
  return number(field.lowest) + " or more";
}

std::optional<double> number_of(FieldKind kind, std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
  if (kind == FieldKind::integer && !digits) return std::nullopt;
  return value;
}

std::set<std::string_view> words_of(std::string_view text, char separator) {
  std::set<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    words.insert(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return words;
}

bool is_list_of(std::string_view choices, std::string_view text) {
  const auto known = words_of(choices, ' ');
  const auto given = words_of(text, ',');
  // As many words as separators allow: "q,q" and "q," are no lists.
  const auto count = static_cast<std::size_t>(std::count(text.begin(), text.end(), ',')) + 1;
  return given.size() == count && std::includes(known.begin(), known.end(), given.begin(), given.end());
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
  return kind == JobKind::train ? train_job_fields() : finetune_job_fields();
}

const JobField* find_job_field(JobKind kind, std::string_view option) {
  const auto fields = job_fields(kind);
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const JobField& field) { return option == field.option; });
  return found == fields.end() ? nullptr : &*found;
}

Expected<void> check_field(const JobField& field, std::string_view text) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::usage, std::string(field.label) + " " + what, "see what stands beside the field");
  };
  const std::string not_shown = ", not “" + printable(text, 60) + "”";
  if (text.empty()) return field.is_needed ? wrong("must be given") : Expected<void>();
  switch (field.kind) {
    case FieldKind::path:
    case FieldKind::text:
      return text.find('\0') == std::string_view::npos ? Expected<void>() : wrong("must not hold a NUL");
    case FieldKind::choice:
      return words_of(field.choices, ' ').contains(text)
                 ? Expected<void>()
                 : wrong("must be one of: " + std::string(field.choices) + not_shown);
    case FieldKind::list:
      return is_list_of(field.choices, text) ? Expected<void>()
                                             : wrong("must be some of: " + std::string(field.choices) + not_shown);
    case FieldKind::yes_no:
      return text == "true" || text == "false" ? Expected<void>() : wrong("must be true or false" + not_shown);
    case FieldKind::integer:
    case FieldKind::real:
      break;
  }
  const auto value = number_of(field.kind, text);
  if (!value)
    return wrong((field.kind == FieldKind::integer ? "must be a whole number" : "must be a number") + not_shown);
  if (*value < field.lowest || *value > field.highest) return wrong("must be " + range_text(field));
  return {};
}

bool same_value(const JobField& field, std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (field.kind == FieldKind::list) return words_of(a, ',') == words_of(b, ',');
  if (field.kind != FieldKind::real && field.kind != FieldKind::integer) return false;
  // Where nothing is said of a number, the program works it out, and so it does for 0.
  const auto first = a.empty() ? std::optional(0.0) : number_of(FieldKind::real, a);
  const auto second = b.empty() ? std::optional(0.0) : number_of(FieldKind::real, b);
  return first && first == second;
}

std::vector<std::string> job_flags(JobKind kind, std::span<const JobOption> options) {
  std::vector<std::string> words;
  bool has_steps = false;
  for (const JobField& field : job_fields(kind)) {
    const auto option =
        std::find_if(options.begin(), options.end(), [&](const JobOption& o) { return o.name == field.option; });
    if (option == options.end() || option->text.empty() || same_value(field, option->text, field.default_text)) {
      continue;
    }
    has_steps = has_steps || std::string_view(field.option) == "steps";
    // The command takes steps or epochs, and steps say more.
    if (has_steps && std::string_view(field.option) == "epochs") continue;
    if (field.kind == FieldKind::yes_no) {
      words.emplace_back(field.flag);
    } else if (option->text.front() == '-') {
      words.push_back(std::string(field.flag) + "=" + option->text);  // else it would be read as a flag
    } else {
      words.emplace_back(field.flag);
      words.push_back(option->text);
    }
  }
  return words;
}

}  // namespace natscope::jobs
