// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/words/command_words.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace natscope {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// What a value is called where nothing else was said: the parser names its type in C++.
std::string plain_name(const std::string& value, bool has_choices) {
  if (value == "INT" || value == "UINT") return "N";
  if (value == "FLOAT") return "X";
  return value == "TEXT" && has_choices ? "NAME" : value;
}

/// "0 - 1024" → "0 to 1024"; what only the size of an int ends has no upper end.
std::string plain_range(const std::string& range) {
  const std::size_t dash = range.find(" - ");
  if (dash == std::string::npos) return {};
  const std::string upper = range.substr(dash + 3);
  constexpr std::size_t digits_of_a_limit = 10;
  return upper.size() >= digits_of_a_limit ? range.substr(0, dash) + " or more"
                                           : range.substr(0, dash) + " to " + upper;
}

/// The parser writes a value as NAME:{one,another} or as N:INT in [0 - 9]; a name may have a colon of its own, A:B.
std::string value_name(const std::string& type) {
  for (const char* const check : {":{", ":INT in [", ":UINT in [", ":FLOAT in ["}) {
    if (const std::size_t at = type.find(check); at != std::string::npos) return type.substr(0, at);
  }
  return type;
}

void read_value(const std::string& type, FlagWords& flag) {
  const auto between = [&type](char begin, char end) -> std::string {
    const std::size_t from = type.find(begin);
    const std::size_t to = type.find(end);
    return from == std::string::npos || to == std::string::npos || to < from ? ""
                                                                             : type.substr(from + 1, to - from - 1);
  };
  flag.choices = split(between('{', '}'), ',');
  flag.range = plain_range(between('[', ']'));
  flag.value = plain_name(value_name(type), !flag.choices.empty());
  flag.takes_file = flag.value == "FILE" || flag.value == "PATH";  // a path may be a folder's, too
  flag.takes_folder = flag.value == "DIR";
}

std::vector<std::string> names_of(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) names.push_back(option->get_name());
  std::ranges::sort(names);  // the parser keeps them by their addresses
  return names;
}

FlagWords words_of(const CLI::Option& option) {
  FlagWords flag;
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) read_value(option.get_type_name(), flag);
  if (flag.names.empty()) {
    flag.takes_job = option.get_name() == "JOB";
    flag.takes_file = option.get_name() == "FILE";
    flag.value = option.get_name();
  }
  flag.group = option.get_group();
  flag.default_value = option.get_default_str();
  flag.description = option.get_description();
  flag.excludes = names_of(option.get_excludes());
  flag.needs = names_of(option.get_needs());
  flag.is_required = option.get_required();
  const bool is_list = flag.value.find(',') != std::string::npos;
  const bool takes_all = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  flag.is_repeatable = !flag.value.empty() && !is_list && (option.get_expected_max() > 1 || takes_all);
  return flag;
}

void add_flags(const CLI::App& app, CommandWords& command) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden from the help, too
    FlagWords flag = words_of(*option);
    (flag.names.empty() ? command.positionals : command.flags).push_back(std::move(flag));
  }
  // A group of options is a command without a name.
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* one) { return one->get_name().empty(); })) {
    add_flags(*group, command);
  }
}

std::string joined(const std::vector<std::string>& words, const std::string& last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) text += (i == 0 ? "" : i + 1 == words.size() ? last : ", ") + words[i];
  return text;
}

void append(const CLI::App& app, const std::vector<std::string>& path, std::vector<CommandWords>& words) {
  CommandWords& command = words.emplace_back();
  command.path = path;
  command.description = app.get_description();
  command.footer = app.get_footer();
  add_flags(app, command);
  const auto below = app.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); });
  for (const CLI::App* one : below) command.subcommands.push_back(one->get_name());
  command.runs_alone = app.get_require_subcommand_min() == 0;
  for (const CLI::App* one : below) {
    std::vector<std::string> longer = path;
    longer.push_back(one->get_name());
    append(*one, longer, words);
  }
}

}  // namespace

std::string FlagWords::terms() const {
  std::vector<std::string> parts;
  if (is_required) parts.emplace_back("required");
  if (!needs.empty()) parts.push_back("with " + joined(needs, " and "));
  if (!excludes.empty()) parts.push_back("not with " + joined(excludes, " or "));
  const auto is_unsaid = [&](const std::string& one) { return description.find(one) == std::string::npos; };
  if (std::ranges::any_of(choices, is_unsaid)) parts.push_back(joined(choices, " or "));
  if (!range.empty()) parts.push_back(range);
  if (is_repeatable) parts.emplace_back("repeatable");
  if (!default_value.empty()) parts.push_back("default: " + default_value);
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

std::string CommandWords::program() const {
  std::string name = "natscope-cli";
  for (const std::string& word : path) name += " " + word;
  return name;
}

std::vector<CommandWords> command_words(const CLI::App& root) {
  std::vector<CommandWords> words;
  append(root, {}, words);
  return words;
}

}  // namespace natscope
