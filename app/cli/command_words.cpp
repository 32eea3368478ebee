// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/command_words.h"

#include <algorithm>
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

/// The parser writes a value as NAME:{one,another} or as N:INT in [0 - 9]; what follows the colon is not for people.
void read_value(const std::string& type, FlagWords& flag) {
  const std::size_t colon = type.find(':');
  flag.value = type.substr(0, colon);
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}');
  if (begin != std::string::npos && end != std::string::npos && begin < end) {
    flag.choices = split(std::string_view(type).substr(begin + 1, end - begin - 1), ',');
  }
  flag.takes_file = flag.value == "FILE" || flag.value == "PATH";  // a path may be a folder's, too
  flag.takes_folder = flag.value == "DIR";
}

FlagWords words_of(const CLI::Option& option) {
  FlagWords flag;
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) read_value(option.get_type_name(), flag);
  if (flag.names.empty()) {
    flag.takes_job = option.get_name() == "job";
    flag.takes_file = option.get_name() == "FILE";
    flag.value = option.get_name();
  }
  flag.default_value = option.get_default_str();
  flag.description = option.get_description();
  flag.is_required = option.get_required();
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

void append(const CLI::App& app, const std::vector<std::string>& path, std::vector<CommandWords>& words) {
  CommandWords& command = words.emplace_back();
  command.path = path;
  command.description = app.get_description();
  command.footer = app.get_footer();
  add_flags(app, command);
  const auto below = app.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); });
  for (const CLI::App* one : below) command.subcommands.push_back(one->get_name());
  for (const CLI::App* one : below) {
    std::vector<std::string> longer = path;
    longer.push_back(one->get_name());
    append(*one, longer, words);
  }
}

}  // namespace

std::vector<CommandWords> command_words(const CLI::App& root) {
  std::vector<CommandWords> words;
  append(root, {}, words);
  return words;
}

}  // namespace natscope
