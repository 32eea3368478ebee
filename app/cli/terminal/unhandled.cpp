// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/unhandled.h"

#include <unistd.h>

#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>

#include "core/base/atomic_file.h"

namespace natscope {
namespace {

void say(std::string_view text) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
}

/// Memory may be what there is none of: nothing here asks for any.
[[noreturn]] void end() {
  int code = 1;
  try {
    if (const std::exception_ptr problem = std::current_exception()) std::rethrow_exception(problem);
    say("error: internal: it ended itself; please report this\n");
  } catch (const std::bad_alloc&) {
    code = 4;
    say("error: out-of-memory: there is not enough memory for this; use a smaller model, a shorter text or --dtype "
        "bfloat16\n");
  } catch (const std::exception& problem) {
    say("error: internal: ");
    say({problem.what(), std::strlen(problem.what())});
    say("; please report this\n");
  } catch (...) {
    say("error: internal: something was thrown that is no exception; please report this\n");
  }
  abandon_unfinished_files();
  _exit(code);
}

}  // namespace

void end_unhandled_by_contract() noexcept { std::set_terminate(end); }

}  // namespace natscope
