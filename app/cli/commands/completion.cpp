// SPDX-License-Identifier: GPL-3.0-or-later
/// `natscope-cli completion SHELL`: a script that makes the shell complete commands, flags, values, files and jobs'
/// names.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "app/cli/commands.h"
#include "app/cli/words/command_words.h"
#include "core/jobs/job_spec.h"

namespace natscope {
namespace {

std::string joined(const std::vector<std::string>& words, std::string_view separator = " ") {
  std::string text;
  for (const std::string& one : words) {
    if (!text.empty()) text += separator;
    text += one;
  }
  return text;
}

/// One word for a shell.
std::string word(const std::string& text) { return jobs::shell_text({&text, 1}); }

/// The first sentence, without the full stop: a description in a list of suggestions.
std::string brief(std::string_view description) {
  const std::size_t end = std::min({description.find(". "), description.find(" ("), description.find("; ")});
  return std::string(description.substr(0, end));
}

/// What stands after `case "$command $flag"`: how the value of one flag is completed.
std::string bash_value(const FlagWords& flag) {
  if (!flag.choices.empty()) return "_natscope_words " + word(joined(flag.choices));
  if (flag.takes_file) return "_natscope_files";
  if (flag.takes_folder) return "_natscope_folders";
  return "COMPREPLY=()";
}

std::string bash_positional(const CommandWords& command) {
  if (!command.subcommands.empty()) return "_natscope_words " + word(joined(command.subcommands));
  if (!command.positionals.empty() && command.positionals.front().takes_job) return "_natscope_jobs";
  if (!command.positionals.empty() && command.positionals.front().takes_file) return "_natscope_files";
  if (!command.positionals.empty() && !command.positionals.front().choices.empty()) {
    return "_natscope_words " + word(joined(command.positionals.front().choices));
  }
  return "COMPREPLY=()";
}

constexpr std::string_view bash_begin = R"(# natscope-cli's completion for bash: source <(natscope-cli completion bash)
_natscope_words() {
  local IFS=$' \t\n'
  COMPREPLY=($(compgen -W "$1" -- "$current"))
}
_natscope_files() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -f -- "$current"))
  compopt -o filenames 2>/dev/null
}
_natscope_folders() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -d -- "$current"))
  compopt -o filenames 2>/dev/null
}
_natscope_jobs() {
  local folder=${NATSCOPE_JOBS:-${XDG_DATA_HOME:-$HOME/.local/share}/natscope/jobs} IFS=$'\n'
  [[ "$current" != */* ]] || { _natscope_folders; return; }
  COMPREPLY=($(cd "$folder" 2>/dev/null && compgen -d -- "$current"))
}
_natscope_cli() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= word index
  COMPREPLY=()
  # --flag=value reaches this as three words.
  [[ "$current" != = ]] || current=
  [[ -z "$current" || "$previous" != = ]] || previous=${COMP_WORDS[COMP_CWORD-2]}
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    case "$command/$word" in
)";

constexpr std::string_view zsh_begin = R"(#compdef natscope-cli
# natscope-cli's completion for zsh: source <(natscope-cli completion zsh), or this file as _natscope-cli in a folder of $fpath
autoload -U +X bashcompinit && bashcompinit
)";

std::string bash_script(const std::vector<CommandWords>& commands) {
  std::string script(bash_begin);
  for (const CommandWords& command : commands) {
    if (command.path.empty()) continue;
    const std::string whole = joined(command.path);
    const std::string above = joined({command.path.begin(), command.path.end() - 1});
    script += "      " + word(above + "/" + command.path.back()) + ") command=" + word(whole) + " ;;\n";
  }
  script += "    esac\n  done\n  case \"$command $previous\" in\n";
  for (const CommandWords& command : commands) {
    for (const FlagWords& flag : command.flags) {
      if (flag.value.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : flag.names) patterns.push_back(word(joined(command.path) + " " + name));
      script += "    " + joined(patterns, " | ") + ") " + bash_value(flag) + "; return ;;\n";
    }
  }
  script += "  esac\n  if [[ \"$current\" == -* ]]; then\n    case \"$command\" in\n";
  for (const CommandWords& command : commands) {
    std::vector<std::string> names;
    for (const FlagWords& flag : command.flags) names.insert(names.end(), flag.names.begin(), flag.names.end());
    script += "      " + word(joined(command.path)) + ") _natscope_words " + word(joined(names)) + " ;;\n";
  }
  script += "    esac\n    return\n  fi\n  case \"$command\" in\n";
  for (const CommandWords& command : commands) {
    script += "    " + word(joined(command.path)) + ") " + bash_positional(command) + " ;;\n";
  }
  return script + "  esac\n}\ncomplete -F _natscope_cli natscope-cli\n";
}

/// Holds while the words typed so far name `command` and no other one.
std::string fish_condition(const CommandWords& command) {
  return word("_natscope_at " + (command.path.empty() ? "-" : joined(command.path, "/")));
}

constexpr std::string_view fish_begin = R"(# natscope-cli's completion for fish: natscope-cli completion fish | source
function _natscope_at
  set -l command
  for word in (commandline -opc)[2..-1]
    if contains -- (string join -- / $command $word) $_natscope_commands
      set -a command $word
    end
  end
  set -l path (string join -- / $command)
  test -n "$path"; or set path -
  test "$path" = "$argv[1]"
end
function _natscope_jobs
  set -l folder $NATSCOPE_JOBS
  test -n "$folder"; or set folder (test -n "$XDG_DATA_HOME"; and echo $XDG_DATA_HOME; or echo $HOME/.local/share)/natscope/jobs
  for job in $folder/*/
    basename $job
  end
end
complete -c natscope-cli -f
)";

std::string fish_flag(const CommandWords& command, const FlagWords& flag) {
  std::string line = "complete -c natscope-cli -n " + fish_condition(command);
  for (const std::string& name : flag.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  // -x: a value, and no file's name for it unless the flag takes one.
  if (!flag.value.empty()) line += flag.takes_file ? " -r" : " -x";
  if (!flag.choices.empty()) line += " -a " + word(joined(flag.choices));
  if (flag.takes_file) line += " -F";
  if (flag.takes_folder) line += " -a '(__fish_complete_directories)'";
  return line + " -d " + word(brief(flag.description)) + "\n";
}

std::string fish_script(const std::vector<CommandWords>& commands) {
  std::string script(fish_begin);
  std::vector<std::string> paths;
  for (const CommandWords& command : commands) {
    if (!command.path.empty()) paths.push_back(joined(command.path, "/"));
  }
  script += "set -g _natscope_commands " + joined(paths) + "\n";
  for (const CommandWords& command : commands) {
    for (const CommandWords& below : commands) {
      const bool is_child = below.path.size() == command.path.size() + 1 &&
                            std::equal(command.path.begin(), command.path.end(), below.path.begin());
      if (!is_child) continue;
      script += "complete -c natscope-cli -n " + fish_condition(command) + " -a " + below.path.back() + " -d " +
                word(brief(below.description)) + "\n";
    }
    for (const FlagWords& flag : command.flags) script += fish_flag(command, flag);
    if (command.positionals.empty()) continue;
    const std::string begin = "complete -c natscope-cli -n " + fish_condition(command);
    if (command.positionals.front().takes_job) script += begin + " -a '(_natscope_jobs)'\n";
    if (command.positionals.front().takes_file) script += begin + " -F\n";
    if (!command.positionals.front().choices.empty()) {
      script += begin + " -a " + word(joined(command.positionals.front().choices)) + "\n";
    }
  }
  return script;
}

}  // namespace

void add_completion_command(CLI::App& root, Invocation& invocation) {
  CLI::App* command =
      add_command(root, "completion", "Print a script with which a shell completes this program's commands and flags");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "The shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "bash: source <(natscope-cli completion bash)\n"
      "zsh: source <(natscope-cli completion zsh)\n"
      "fish: natscope-cli completion fish | source");
  on_run(*command, invocation, [shell, &root](CommandContext& context) -> Expected<void> {
    const std::vector<CommandWords> commands = command_words(root);
    const std::string script = *shell == "fish"  ? fish_script(commands)
                               : *shell == "zsh" ? std::string(zsh_begin) + bash_script(commands)
                                                 : bash_script(commands);
    return context.json ? print_json({{"script", script}}) : print_text(script);
  });
}

}  // namespace natscope
