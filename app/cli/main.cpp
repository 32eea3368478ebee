// SPDX-License-Identifier: GPL-3.0-or-later
/// natscope-cli: one parser, one command, one way to fail.
#include <cstdio>
#include <exception>
#include <new>

#include "app/cli/command_line.h"
#include "app/cli/invocation.h"
#include "app/cli/terminal/interrupt.h"
#include "app/cli/terminal/unhandled.h"
#include "app/cli/terminal/waiting_threads.h"
#include "app/cli/words/plain_values.h"
#include "core/base/lost_file.h"
#include "core/base/standard_streams.h"
#include "core/train/ranks/rank_group.h"

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
  CommandLine line;
  const auto help = line.parse(given_words(argc, argv));
  if (!help) return report(line.with_own_hint(help.error()));
  if (*help) {
    const auto printed = print_text(**help);
    return printed ? 0 : report(printed.error());
  }
  if (line.invocation().work == Work::training) wait_asleep(argv);
  CommandContext context{{}, line.invocation().json};
  const auto done = [&] {
    // Gone before there is something to report: it would say a second time that it was interrupted.
    InterruptGuard interrupt;
    context.stop = interrupt.token();
    return run_guarded(line.invocation(), context);
  }();
  if (done) return 0;
  return context.is_silent ? exit_code(done.error().code) : report(line.with_own_hint(done.error()));
}

}  // namespace
}  // namespace natscope

int main(int argc, char** argv) {
  natscope::settle_standard_streams();
  natscope::end_unhandled_by_contract();
  natscope::end_with_a_word_on_lost_files();
  const int code = natscope::run(argc, argv);
  // mpirun loses the last line of ranks that are gone before it was read: they take their time, as any program does.
  if (natscope::train::ranks_in_environment() > 1) return code;
  natscope::end_process(code);
}
