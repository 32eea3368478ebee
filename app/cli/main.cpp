// SPDX-License-Identifier: GPL-3.0-or-later
/// natscope-cli: one parser, one command, one way to fail.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/invocation.h"
#include "app/cli/parse_words.h"
#include "app/cli/plain_values.h"
#include "app/cli/unhandled.h"
#include "core/base/standard_streams.h"

namespace natscope {
namespace {

int report(const Error& error) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", format_error_line(error).c_str());
  return exit_code(error.code);
}

/// Exceptions are caught where libraries are called; what still arrives here is a defect or an exhausted memory.
Expected<void> run_guarded(const Invocation& invocation, CommandContext& context) {
  try {
    return invocation.run(context);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "there is not enough memory for this");
  } catch (const std::exception& problem) {
    return fail(ErrorCode::internal, problem.what());
  }
}

int run(int argc, char** argv) {
  CLI::App app("Run Neural Attention Search models and see what they keep in the KV cache", "natscope-cli");
  Invocation invocation;
  app.set_version_flag("--version", "natscope-cli " NATSCOPE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "natscope-cli COMMAND --help shows a command's flags. Exit codes: 0 done, 1 defect, 2 wrong usage,\n"
      "3 bad input, 4 out of memory, 5 interrupted.");
  add_commands(app, invocation);
  take_plain_values(app);
  std::vector<std::string> words = given_words(argc, argv);
  std::ranges::reverse(words);  // as the parser wants them
  try {
    app.parse(std::move(words));
  } catch (const CLI::Success& help) {
    std::ostringstream text;
    const int code = app.exit(help, text, text);
    const auto printed = print_text(text.str());
    return printed ? code : report(printed.error());
  } catch (const CLI::ParseError& problem) {
    const std::string first = argc > 1 ? argv[1] : "";
    if (app.get_subcommands().empty() && argc > 1 && !first.starts_with("-")) {
      return report(make_error(ErrorCode::usage, "there is no command \"" + printable(first, 60) + "\"",
                               "see natscope-cli --help"));
    }
    if (first.starts_with("-")) {
      return report(make_error(ErrorCode::usage, "a command comes first, not \"" + printable(first, 60) + "\"",
                               "see natscope-cli --help"));
    }
    return report(
        make_error(ErrorCode::usage, in_words(problem, app), "see natscope-cli" + named_command(app) + " --help"));
  }

  for (const CLI::App* command : app.get_subcommands()) {
    if (const auto given = check_values(*command); !given) return report(given.error());
  }

  InterruptGuard interrupt;
  CommandContext context{interrupt.token(), invocation.json};
  const auto done = run_guarded(invocation, context);
  if (done) return 0;
  return context.is_silent ? exit_code(done.error().code) : report(done.error());
}

}  // namespace
}  // namespace natscope

int main(int argc, char** argv) {
  natscope::settle_standard_streams();
  natscope::end_unhandled_by_contract();
  return natscope::run(argc, argv);
}
