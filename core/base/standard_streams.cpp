// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace natscope {

void settle_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest free number is the one that is missing. Opened the wrong way round: what is asked of it fails.
    const int got = ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (got >= 0 && got != stream) {
      ::dup2(got, stream);
      ::close(got);
    }
  }
  std::signal(SIGXFSZ, SIG_IGN);
}

void end_process(int code) noexcept {
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace natscope
