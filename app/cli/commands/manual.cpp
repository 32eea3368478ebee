// SPDX-License-Identifier: GPL-3.0-or-later
/// `natscope-cli manual`: the manual page natscope-cli(1), made of the parser's own words.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/words/command_words.h"
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

std::string entry(const FlagWords& flag) {
  std::string text = ".TP\n";
  std::string names;
  for (const std::string& name : flag.names) names += (names.empty() ? "" : ", ") + bold(name);
  text += names;
  if (!flag.value.empty()) text += (names.empty() ? "" : " ") + italic(flag.value);
  const std::string terms = flag.terms();
  return text + "\n" + plain(flag.description) + (terms.empty() ? "" : plain(" [" + terms + "]")) + "\n";
}

/// What the help has behind a command's flags, unless the command above has the same. A manual is for every machine: it
/// names no folder of this one.
std::string behind_flags(const CommandWords& command, const CommandWords* above) {
  if (command.footer.empty() || (above != nullptr && above->footer == command.footer)) return {};
  const std::string here = jobs::default_jobs_folder().string();
  std::string footer = command.footer;
  if (const std::size_t at = footer.find(here); at != std::string::npos)
    footer.replace(at, here.size(), "~/.local/share/natscope/jobs");
  std::string text;
  for (std::size_t at = 0; at < footer.size();) {
    const std::size_t end = std::min(footer.find('\n', at), footer.size());
    text += ".PP\n" + plain(std::string_view(footer).substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return text;
}

std::string section(const CommandWords& command, const CommandWords* above) {
  std::string text = ".SS " + command.program() + "\n" + plain(command.description) + ".\n";
  for (const FlagWords& flag : command.positionals) text += entry(flag);
  for (const FlagWords& flag : command.flags) {
    if (flag.names.back() != "--help") text += entry(flag);
  }
  return text + behind_flags(command, above);
}

constexpr std::string_view behind = R"(.SH EXAMPLES
.TP
A text, and the cache while it grows:
.B natscope\-cli generate \-\-live \-\-prompt \(dqAlice was\(dq
.TP
What learned roles are worth beside baselines that hold as much, as numbers and as a figure of a column's width:
.B natscope\-cli eval \-\-text book.txt \-\-budgets same \-\-figure trade.pdf \-\-width 89mm
.TP
Everything that a run saw, and a figure of it:
.B natscope\-cli trace \-\-prompt\-file page.txt \-\-attention 3.0 \-\-out run.safetensors
.br
.B natscope\-cli export \-\-kind roles \-\-from run.safetensors \-\-width 89mm \-\-out roles.pdf
.TP
Score layers for a model that has none, in the background, and what became of it:
.B natscope\-cli finetune \-\-model DIR \-\-data texts/ \-\-out adapter/ \-\-detach
.br
.B natscope\-cli jobs
.SH EXIT STATUS
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
.IR demo/ ,
.I demo-full/
and
.IR sample/ ,
in place of those that were installed.
.TP
.B OMP_WAIT_POLICY
How threads of a training wait for each other:
.IR passive ,
asleep, unless it says otherwise. With
.I active
a training is many times slower beside other programs.
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
    if (command.path.empty()) continue;
    const std::vector<std::string> path(command.path.begin(), command.path.end() - 1);
    const auto above = std::ranges::find(commands, path, &CommandWords::path);
    text += section(command, above == commands.end() ? nullptr : &*above);
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
