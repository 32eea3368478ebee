// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/invocation.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "app/cli/terminal/printed_json.h"

namespace natscope {

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description) {
  return parent.add_subcommand(name, description);
}

void on_run(CLI::App& command, Invocation& invocation, std::function<Expected<void>(CommandContext&)> run, Work work) {
  command.add_flag("--json", invocation.json, "Print the result as JSON on stdout")->disable_flag_override();
  command.callback([&invocation, run = std::move(run), work] {
    invocation.run = run;
    invocation.work = work;
  });
}

Expected<void> print_text(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return fail(ErrorCode::io_failure, "standard output cannot be written", "check where it is redirected to");
  }
  return {};
}

Expected<void> print_json(const nlohmann::json& value) { return print_text(printed_json(value)); }

Expected<void> check_values(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const bool empty = std::ranges::any_of(option->results(), [](const std::string& value) { return value.empty(); });
    const auto is_text = [option](const char* name) { return option->check_lname(name); };
    // An empty text is bad input, where it is no text; an empty title is none.
    if (!empty || is_text("prompt") || is_text("system") || is_text("then")) continue;
    if (is_text("title") || is_text("label")) continue;
    constexpr auto paths = std::to_array<std::string_view>({"FILE", "DIR", "PATH"});
    const bool is_path = std::ranges::find(paths, option->get_type_name()) != paths.end();
    return fail(is_path ? ErrorCode::file_not_found : ErrorCode::usage, option->get_name() + " is empty");
  }
  for (const CLI::App* named : command.get_subcommands()) NATSCOPE_CHECK(check_values(*named));
  return {};
}

CLI::Validator whole_number() {
  return {[](std::string& text) -> std::string {
            std::uint64_t number = 0;
            const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
            if (problem == std::errc{} && end == text.data() + text.size()) return {};
            return "takes a whole number from 0 to 18446744073709551615, not \"" + printable(text, 60) + "\"";
          },
          "UINT in [0 - 18446744073709551615]"};
}

CLI::Validator number_within(double min, double max) {
  constexpr int digits = 7;  // a million is no 1e+06
  std::ostringstream words;
  words << std::setprecision(digits) << "takes a number from " << min << " to " << max << ", not ";
  std::ostringstream range;
  range << std::setprecision(digits) << "FLOAT in [" << min << " - " << max << "]";
  return {[min, max, words = words.str()](std::string& text) -> std::string {
            double number = 0;
            if (CLI::detail::lexical_cast(text, number) && number >= min && number <= max) return {};
            return words + "\"" + printable(text, 60) + "\"";
          },
          range.str()};
}

Error as_usage(Error error) {
  error.code = ErrorCode::usage;
  return error;
}

}  // namespace natscope
