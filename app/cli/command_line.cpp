// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/words/help_text.h"
#include "app/cli/words/parse_words.h"
#include "app/cli/words/plain_values.h"

namespace natscope {

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>("Run Neural Attention Search models and see what they keep in the KV cache",
                                      "natscope-cli")) {
  use_own_help(*app_);
  app_->require_subcommand(1);
  add_commands(*app_, invocation_);
  // After the commands, which would inherit it.
  app_->set_help_all_flag("--help-all", "Print the help of every command and end");
  app_->set_version_flag("--version", "natscope-cli " NATSCOPE_VERSION, "Print the version and end");
  app_->footer(
      "natscope-cli COMMAND --help shows a command's flags. Exit codes: 0 done, 1 a defect of the program, 2 wrong "
      "usage, 3 bad input, 4 out of memory, 5 interrupted.");
  take_plain_values(*app_, beyond_);
}

CommandLine::~CommandLine() = default;

Expected<std::optional<std::string>> CommandLine::parse(std::vector<std::string> words) {
  std::ranges::reverse(words);  // as the parser wants them
  try {
    app_->parse(std::move(words));
  } catch (const CLI::Success& help) {
    std::ostringstream text;
    app_->exit(help, text, text);
    return text.str();
  } catch (const CLI::ParseError& problem) {
    return Unexpected(usage_error(problem, *app_));
  }
  for (const CLI::App* command : app_->get_subcommands()) NATSCOPE_CHECK(check_values(*command));
  if (beyond_) return Unexpected(*beyond_);
  return std::nullopt;
}

Error CommandLine::with_own_hint(Error error) const {
  const bool is_plain = error.code == ErrorCode::usage && error.hint == make_error(ErrorCode::usage, {}).hint;
  if (is_plain) error.hint = help_hint(*app_);
  return error;
}

}  // namespace natscope
