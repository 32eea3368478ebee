// SPDX-License-Identifier: GPL-3.0-or-later
/// What every command of natscope-cli is given, and how one is added.
///
///     void add_info_command(CLI::App& root, Invocation& invocation) {
///       auto options = std::make_shared<Options>();
///       CLI::App* command = add_command(root, "info", "Describe a model folder");
///       options->model.add_to(*command);
///       on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
///     }
///
/// A command writes its result to stdout, everything else to stderr, and returns errors as values; main() prints them.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/base/expected.h"

namespace natscope {

struct CommandContext {
  std::stop_token stop;    ///< Ctrl+C
  bool json = false;       ///< --json: one object on stdout and nothing else there
  bool is_silent = false;  ///< another process says why this one fails
};

/// What main() has to know of a command: the threads of a training wait in another way (terminal/waiting_threads.h).
enum class Work { other, training };

/// What the command line asked for; empty until a command was parsed.
struct Invocation {
  std::function<Expected<void>(CommandContext&)> run;
  bool json = false;
  Work work = Work::other;
};

/// A new command of `parent`. Only here, and in command_line.cpp, is an App made: what that takes of CLI11 is long to
/// compile.
CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description);

/// Adds --json to a command and makes it the one that runs when it was named.
void on_run(CLI::App& command, Invocation& invocation, std::function<Expected<void>(CommandContext&)> run,
            Work work = Work::other);

/// Prints one JSON value and a newline on stdout, whole. Errors: io_failure.
[[nodiscard]] Expected<void> print_json(const nlohmann::json& value);

/// Prints text on stdout at once. Errors: io_failure.
[[nodiscard]] Expected<void> print_text(std::string_view text);

/// What the parser lets pass: a value that is empty where something is needed (`--model "$UNSET"` must not be the
/// demo), of this command or of the one that was named below it. --prompt has its own word on an empty text, and to
/// --system an empty one is a text.
/// Errors: usage, file_not_found (an option that takes a path).
[[nodiscard]] Expected<void> check_values(const CLI::App& command);

/// Refuses what is no whole number from 0 to 2^64 - 1; the parser itself would wrap -1 round. Validators say what is
/// wrong as a sentence's end, which the flag's name begins (parse_words.h).
[[nodiscard]] CLI::Validator whole_number();

/// Refuses what is no number from `min` to `max`; unlike CLI::Range, also nan.
[[nodiscard]] CLI::Validator number_within(double min, double max);

/// The same error as wrong usage: for the syntax of a flag whose reader lives below the command line.
[[nodiscard]] Error as_usage(Error error);

}  // namespace natscope
