// SPDX-License-Identifier: GPL-3.0-or-later
/// `natscope-cli manual`: the manual page natscope-cli(1), made of the parser's own words.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "app/cli/command_words.h"
#include "app/cli/commands.h"
#include "core/jobs/job_store.h"

namespace natscope {
namespace {

/// Text for roff: its escapes, and no line that it would take for a request.
std::string plain(std::string_view text) {
  std::string result;
  bool at_begin = true;
  for (const char letter : text) {
    if (at_begin && (letter == '.' || letter == '\'')) result += "\\&";
    if (letter == '\\') {
      result += "\\e";
    } else if (letter == '-') {
      result += "\\-";
    } else {
      result += letter;
    }
    at_begin = letter == '\n';
  }
  return result;
}

std::string bold(std::string_view text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + plain(text) + "\\fR"; }

std::string program(const CommandWords& command) {
  std::string name = "natscope-cli";
  for (const std::string& word : command.path) name += " " + word;
  return name;
}

std::string entry(const FlagWords& flag) {
  std::string text = ".TP\n";
  std::string names;
  for (const std::string& name : flag.names) names += (names.empty() ? "" : ", ") + bold(name);
  text += names;
  if (!flag.value.empty()) text += (names.empty() ? "" : " ") + italic(flag.value);
  text += "\n" + plain(flag.description);
  if (!flag.choices.empty() && !flag.names.empty()) {
    std::string choices;
    for (const std::string& one : flag.choices) choices += (choices.empty() ? "" : ", ") + one;
    if (flag.description.find(flag.choices.back()) == std::string::npos) text += plain(" (" + choices + ")");
  }
  if (!flag.default_value.empty()) text += plain(". Default: " + flag.default_value);
  if (flag.is_required) text += ". Required";
  return text + ".\n";
}

/// What the help has behind a command's flags. A manual is for every machine: it names no folder of this one.
std::string behind_flags(const CommandWords& command) {
  const std::string here = jobs::default_jobs_folder().string();
  std::string text = command.footer;
  if (const std::size_t at = text.find(here); at != std::string::npos)
    text.replace(at, here.size(), "~/.local/share/natscope/jobs");
  return text.empty() ? text : ".PP\n" + plain(text) + "\n";
}

std::string section(const CommandWords& command) {
  std::string text = ".SS " + program(command) + "\n" + plain(command.description) + ".\n";
  for (const FlagWords& flag : command.positionals) text += entry(flag);
  for (const FlagWords& flag : command.flags) {
    if (flag.names.back() != "--help") text += entry(flag);
  }
  return text + behind_flags(command);
}

constexpr std::string_view behind = R"(.SH EXIT STATUS
0 done, 1 a defect of the program, 2 wrong usage, 3 bad input (a file, a model, a prompt), 4 out of memory, 5 interrupted.
On failure the last line of standard error begins with
.BR error: .
.SH ENVIRONMENT
.TP
.B NATSCOPE_JOBS
Folder of training jobs, in place of
.IR ~/.local/share/natscope/jobs .
.TP
.B NATSCOPE_RESOURCES
Folder with
.I demo/
and
.IR sample/ ,
in place of those that were installed.
.TP
.B XDG_DATA_HOME
As in the XDG base directory specification.
.SH SEE ALSO
.BR natscope (1),
.BR natscope-engine (1)
)";

std::string page(const std::vector<CommandWords>& commands) {
  std::string text =
      ".TH NATSCOPE-CLI 1 \"\" \"NAtScope " NATSCOPE_VERSION "\" \"User Commands\"\n.SH NAME\nnatscope-cli \\- ";
  const CommandWords& root = commands.front();
  std::string summary = root.description;
  if (!summary.empty() && summary.front() >= 'A' && summary.front() <= 'Z') summary.front() += 'a' - 'A';
  text += plain(summary) + "\n.SH SYNOPSIS\n.B natscope-cli\n.I COMMAND\n.RI [ OPTION \"]...\"\n.SH COMMANDS\n";
  for (const CommandWords& command : commands) {
    if (!command.path.empty()) text += section(command);
  }
  return text + std::string(behind);
}

}  // namespace

void add_manual_command(CLI::App& root, Invocation& invocation) {
  CLI::App* command = add_command(root, "manual", "Print the manual page: natscope-cli manual | man -l -");
  on_run(*command, invocation, [&root](CommandContext& context) -> Expected<void> {
    const std::string text = page(command_words(root));
    return context.json ? print_json({{"manual", text}}) : print_text(text);
  });
}

}  // namespace natscope
