// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/jobs/derived_options.h"
#include "core/jobs/job_file.h"
#include "core/json/json_limits.h"

namespace natscope::jobs {

namespace {

using nlohmann::json;

constexpr const char* repair = "start a new job, or repair spec.json";
constexpr JsonLimits spec_limits{std::size_t{1} << 20, 4, 4096};
constexpr const char* reserved[] = {"kind", "version"};
constexpr const char* path_options[] = {"data", "valid", "tokenizer", "init", "out", "model", "adapter"};

bool is_reserved(std::string_view key) {
  return std::find(std::begin(reserved), std::end(reserved), key) != std::end(reserved);
}

/// Nothing for objects and lists of anything but scalars.
std::optional<std::string> text_of(const json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number()) return value.dump();
  if (!value.is_array()) return std::nullopt;
  std::string joined;
  for (const json& item : value) {
    const auto text = item.is_array() ? std::nullopt : text_of(item);
    if (!text) return std::nullopt;
    joined += (joined.empty() ? "" : ",") + *text;
  }
  return joined;
}

/// The new text as a value of the old one's type; nothing when it is none.
std::optional<json> value_like(const json& old, const std::string& text) {
  if (old.is_boolean()) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
  }
  if (old.is_string() || old.is_null()) return json(text);
  if (old.is_number_integer()) {
    const char* const end = text.data() + text.size();
    if (std::uint64_t value = 0; !text.empty() && text.front() != '-') {
      const auto [stopped, problem] = std::from_chars(text.data(), end, value);
      return problem == std::errc() && stopped == end ? std::optional<json>(value) : std::nullopt;
    }
    std::int64_t value = 0;
    const auto [stopped, problem] = std::from_chars(text.data(), end, value);
    return problem == std::errc() && stopped == end ? std::optional<json>(value) : std::nullopt;
  }
  if (old.is_number_float()) {
    double value = 0;
    const auto [stopped, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || stopped != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
  }
  if (!old.is_array()) return std::nullopt;
  json list = json::array();
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto item = value_like(old.empty() ? json("") : old.front(), text.substr(begin, end - begin));
    if (!item) return std::nullopt;
    list.push_back(*item);
    begin = end + 1;
  }
  return list;
}

std::int64_t number_of(const json& spec, const char* option) {
  const auto found = spec.find(option);
  return found != spec.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

/// What stood there because of another option, which is changed, follows that one again: nobody chose it.
void let_follow(json& spec, const json& before, std::span<const JobOption> changes) {
  const auto is_changed = [&](std::string_view name) {
    return std::ranges::any_of(changes, [&](const JobOption& change) { return change.name == name; });
  };
  const auto follows = [&](const char* option, bool came_of_it, std::initializer_list<std::string_view> others) {
    const bool other_changed = std::ranges::any_of(others, is_changed);
    if (spec.contains(option) && came_of_it && other_changed && !is_changed(option)) spec[option] = 0;
  };
  const std::int64_t hidden = number_of(before, "hidden");
  const std::int64_t heads = std::max<std::int64_t>(1, number_of(before, "heads"));
  follows("head_dim", number_of(before, "head_dim") * heads == hidden, {"hidden", "heads"});
  follows("intermediate", number_of(before, "intermediate") == default_intermediate(hidden), {"hidden"});
  follows("micro_batch", number_of(before, "micro_batch") == number_of(before, "batch"), {"batch"});
  // Two names of one choice.
  const auto full = spec.find("full_attention");
  const auto policy = spec.find("policy");
  if (full == spec.end() || policy == spec.end()) return;
  if (is_changed("full_attention") && !is_changed("policy") && *full == false && *policy == "full") *policy = "model";
  if (is_changed("policy") && !is_changed("full_attention") && *policy != "full") *full = false;
}

bool is_plain_word(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:=,+@%").find(c) != std::string_view::npos;
  });
}

}  // namespace

const char* name(JobKind kind) { return kind == JobKind::train ? "train" : "finetune"; }

std::string_view JobSpec::text(std::string_view option) const {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const JobOption& entry) { return entry.name == option; });
  return found == options.end() ? std::string_view() : std::string_view(found->text);
}

Expected<JobSpec> job_spec_from_json(const json& spec) {
  if (!spec.is_object()) return fail(ErrorCode::bad_job, "spec.json is no JSON object", repair);
  JobSpec result;
  const json kind = spec.value("kind", json());
  if (kind == name(JobKind::train)) {
    result.kind = JobKind::train;
  } else if (kind == name(JobKind::finetune)) {
    result.kind = JobKind::finetune;
  } else {
    return fail(
        ErrorCode::bad_job,
        "spec.json: kind is " + printable(kind.dump(-1, ' ', true), 60) + ", neither \"train\" nor \"finetune\"",
        repair);
  }
  if (spec.value("version", json()) != 1) {
    return fail(ErrorCode::bad_job, "spec.json: version is not 1", "open it with the version that wrote it");
  }
  for (const auto& [key, value] : spec.items()) {
    if (is_reserved(key)) continue;
    auto text = text_of(value);
    if (!text) return fail(ErrorCode::bad_job, "spec.json: " + printable(key, 60) + " is not a plain value", repair);
    result.options.push_back({key, std::move(*text)});
  }
  return result;
}

Expected<json> read_spec_json(const std::filesystem::path& folder) {
  auto text = read_job_file(folder / "spec.json", spec_limits.max_bytes);
  if (!text && text.error().code == ErrorCode::file_not_found) {
    return fail(ErrorCode::bad_job, printable(folder.string()) + " holds no job (no spec.json)");
  }
  if (!text) return Unexpected(std::move(text).error());
  auto parsed = parse_json(*text, spec_limits, (folder / "spec.json").string());
  if (!parsed) return fail(ErrorCode::bad_job, parsed.error().message, repair);
  return parsed;
}

Expected<JobSpec> read_job_spec(const std::filesystem::path& folder) {
  NATSCOPE_TRY(const json spec, read_spec_json(folder));
  auto result = job_spec_from_json(spec);
  if (!result) result.error().message = printable(folder.string()) + ": " + result.error().message;
  return result;
}

Expected<json> with_changes(json spec, std::span<const JobOption> changes) {
  const json before = spec;
  for (const JobOption& change : changes) {
    const auto entry = spec.find(change.name);
    if (entry == spec.end() || is_reserved(change.name)) {
      return fail(ErrorCode::usage, "the job has no option " + printable(change.name, 60),
                  "natscope-cli jobs show NAME lists them");
    }
    auto value = value_like(*entry, change.text);
    if (!value) {
      return fail(ErrorCode::usage, printable(change.text, 60) + " is not a value for " + change.name,
                  "it was " + printable(entry->dump(), 60));
    }
    *entry = std::move(*value);
  }
  let_follow(spec, before, changes);
  return spec;
}

std::filesystem::path absolute_path(const std::filesystem::path& path) {
  std::error_code problem;
  std::filesystem::path absolute = std::filesystem::absolute(path, problem).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

json with_absolute_paths(json spec) {
  for (const char* const key : path_options) {
    const auto option = spec.find(key);
    if (option == spec.end() || !option->is_string() || option->get_ref<const std::string&>().empty()) continue;
    *option = absolute_path(option->get<std::string>()).string();
  }
  return spec;
}

Expected<std::string> spec_text(json spec) { return json_file_text(with_absolute_paths(std::move(spec)), "spec.json"); }

int count_of(const JobSpec& spec, std::string_view option) {
  const std::string_view text = spec.text(option);
  int count = 0;
  const auto [stopped, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  return problem == std::errc() && stopped == text.data() + text.size() && count > 0 ? count : 0;
}

int ranks_of(const JobSpec& spec) { return std::max(1, count_of(spec, "ranks")); }

std::vector<std::string> job_command(const std::filesystem::path& program, const JobSpec& spec,
                                     const std::filesystem::path& folder) {
  std::vector<std::string> command;
  // Unbound and however few cores there are: each rank divides the machine's threads itself. mpirun is looked for where
  // the job runs.
  if (const int ranks = ranks_of(spec); ranks > 1)
    command = {"/usr/bin/env", "mpirun", "--bind-to", "none", "--oversubscribe", "-np", std::to_string(ranks)};
  command.insert(command.end(), {program.string(), name(spec.kind), "--job", folder.string(), "--resume"});
  return command;
}

std::string shell_text(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    if (is_plain_word(word)) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  }
  return text;
}

}  // namespace natscope::jobs
