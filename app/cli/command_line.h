// SPDX-License-Identifier: GPL-3.0-or-later
/// The command line: the parser with every command, whose complaints are this program's errors.
///
///     CommandLine line;
///     NATSCOPE_TRY(const auto help, line.parse(given_words(argc, argv)));
///     if (help) return print_text(*help);
///     return line.invocation().run(context);
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/invocation.h"
#include "core/base/expected.h"

namespace natscope {

class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// Reads the words behind the program's name, once. The text that --help or --version asked for; else nothing, and
  /// invocation() says what to run.
  /// Errors: usage; those of check_values(); bad_layer, bad_head, bad_position (one that no model or text has).
  [[nodiscard]] Expected<std::optional<std::string>> parse(std::vector<std::string> words);

  [[nodiscard]] Invocation& invocation() { return invocation_; }
  [[nodiscard]] const CLI::App& app() const { return *app_; }

  /// An error of the command that was named: where it is wrong usage and says no more than that there is a help, it
  /// says whose.
  [[nodiscard]] Error with_own_hint(Error error) const;

 private:
  Invocation invocation_;
  std::optional<Error> beyond_;  // what take_plain_values() found
  std::unique_ptr<CLI::App> app_;
};

}  // namespace natscope
