// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/words/help_text.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "app/cli/terminal/screen_text.h"
#include "app/cli/terminal/terminal.h"

namespace natscope {
namespace {

constexpr int indent = 2;
constexpr int name_columns = 26;
constexpr int fewest_columns = 40;
constexpr int most_columns = 120;  // longer lines are hard to read

std::string blanks(int count) { return std::string(static_cast<std::size_t>(std::max(count, 0)), ' '); }

/// A name, and beside it (below, where it is long) what it is.
std::string row(const std::string& name, const std::string& words, int columns) {
  std::string text = blanks(indent) + name;
  const int used = screen_columns(text);
  text += used + 2 > name_columns ? "\n" + blanks(name_columns) : blanks(name_columns - used);
  return text + wrapped(words, columns, name_columns, name_columns) + "\n";
}

std::string name_of(const FlagWords& flag) {
  std::string text;
  for (const std::string& one : flag.names) text += (text.empty() ? "" : ", ") + one;
  if (!flag.value.empty()) text += (text.empty() ? "" : " ") + flag.value;
  return text;
}

std::string words_of(const FlagWords& flag) {
  const std::string terms = flag.terms();
  return terms.empty() ? flag.description : flag.description + " [" + terms + "]";
}

std::string usage(const CommandWords& command) {
  std::string text = "Usage: " + command.program();
  if (!command.flags.empty()) text += " [OPTION]...";
  for (const FlagWords& flag : command.positionals) {
    const std::string name = flag.value + (flag.is_repeatable ? "..." : "");
    text += flag.is_required ? " " + name : " [" + name + "]";
  }
  if (!command.subcommands.empty()) text += command.runs_alone ? " [COMMAND]" : " COMMAND";
  return text + "\n";
}

std::string flags_text(const CommandWords& command, int columns) {
  std::vector<std::string> groups;
  for (const FlagWords& flag : command.flags) {
    if (std::ranges::find(groups, flag.group) == groups.end()) groups.push_back(flag.group);
  }
  std::string text;
  for (const std::string& group : groups) {
    text += "\n" + group + ":\n";
    for (const FlagWords& flag : command.flags) {
      if (flag.group == group) text += row(name_of(flag), words_of(flag), columns);
    }
  }
  return text;
}

/// The command that `app` is, of all.
const CommandWords* find(const std::vector<CommandWords>& all, const CLI::App& app) {
  std::vector<std::string> path;
  for (const CLI::App* at = &app; at->get_parent() != nullptr; at = at->get_parent())
    path.insert(path.begin(), at->get_name());
  const auto found = std::ranges::find(all, path, &CommandWords::path);
  return found == all.end() ? nullptr : &*found;
}

bool is_below(const CommandWords& one, const CommandWords& command) {
  return one.path.size() == command.path.size() + 1 &&
         std::equal(command.path.begin(), command.path.end(), one.path.begin());
}

std::string own_help(const CLI::App& app, CLI::AppFormatMode mode) {
  const CLI::App* root = &app;
  while (root->get_parent() != nullptr) root = root->get_parent();
  const std::vector<CommandWords> all = command_words(*root);
  const int columns = std::clamp(terminal_columns(), fewest_columns, most_columns);
  std::string text;
  if (mode == CLI::AppFormatMode::All) {
    for (const CommandWords& one : all) text += (text.empty() ? "" : "\n\n") + help_text(one, all, columns);
  } else if (const CommandWords* const command = find(all, app)) {
    text = help_text(*command, all, columns);
  }
  return text;
}

}  // namespace

std::string wrapped(std::string_view text, int columns, int indent_columns, int begin) {
  std::string lines;
  int used = begin;
  bool is_first = true;  // word of its line
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    const int taken = screen_columns(word);
    if (!is_first && used + 1 + taken > columns) {
      lines += "\n" + blanks(indent_columns);
      used = indent_columns;
      is_first = true;
    }
    if (!is_first) {
      lines += " ";
      ++used;
    }
    lines += word;
    used += taken;
    is_first = false;
    if (end < text.size() && text[end] == '\n') {
      lines += "\n" + blanks(indent_columns);
      used = indent_columns;
      is_first = true;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string help_text(const CommandWords& command, const std::vector<CommandWords>& all, int columns) {
  std::string text = usage(command) + "\n" + wrapped(command.description, columns, 0, 0) + "\n";
  if (!command.positionals.empty()) text += "\nArguments:\n";
  for (const FlagWords& flag : command.positionals) text += row(name_of(flag), words_of(flag), columns);
  text += flags_text(command, columns);
  if (!command.subcommands.empty()) text += "\nCommands:\n";
  for (const CommandWords& one : all) {
    if (is_below(one, command)) text += row(one.path.back(), one.description, columns);
  }
  if (!command.footer.empty()) text += "\n" + wrapped(command.footer, columns, 0, 0) + "\n";
  return text;
}

void use_own_help(CLI::App& root) {
  root.set_help_flag("-h,--help", "Print this help and end");
  root.formatter_fn(
      [](const CLI::App* app, const std::string&, CLI::AppFormatMode mode) { return own_help(*app, mode); });
}

}  // namespace natscope
