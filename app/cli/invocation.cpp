// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/invocation.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace natscope {

void on_run(CLI::App& command, Invocation& invocation, std::function<Expected<void>(CommandContext&)> run) {
  command.add_flag("--json", invocation.json, "Print the result as JSON on stdout");
  command.callback([&invocation, run = std::move(run)] { invocation.run = run; });
}

Expected<void> print_text(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return fail(ErrorCode::io_failure, "standard output cannot be written", "check where it is redirected to");
  }
  return {};
}

Expected<void> print_json(const nlohmann::json& value) {
  // Text of a model may hold anything; what is no UTF-8 is replaced rather than thrown over.
  return print_text(value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Error as_usage(Error error) {
  error.code = ErrorCode::usage;
  return error;
}

}  // namespace natscope
