// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/lost_file.h"

#include <unistd.h>

#include <csignal>
#include <string>

#include "core/base/error.h"

namespace natscope {
namespace {

std::string last_words;  // made before they are needed

/// Raised by the very read of a mapped page, whatever is held there: nothing is locked or asked for here, so that an
/// unfinished file may stay behind.
extern "C" void on_bus_error(int number, siginfo_t* what, void*) {
  if (what->si_code != BUS_ADRERR) {
    ::signal(number, SIG_DFL);
    ::raise(number);
    return;
  }
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, last_words.data(), last_words.size());
  ::_exit(exit_code(ErrorCode::io_failure));
}

}  // namespace

void end_with_a_word_on_lost_files() {
  last_words = format_error_line(make_error(ErrorCode::io_failure, "a file was cut short while it was read",
                                            "write to another name and rename it")) +
               "\n";
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace natscope
