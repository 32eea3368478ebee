// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <system_error>

#include "app/cli/terminal/unhandled.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"

namespace natscope {
namespace {

constexpr char signal_byte = 's';
constexpr char end_byte = 'e';

/// Pipe from the signal handler, which may do next to nothing, to the watching thread.
std::array<int, 2> wake_pipe{-1, -1};

std::atomic<int> unwatched_works{0};
std::atomic<const char*> ending_advice{nullptr};

extern "C" void on_signal(int) {
  const int saved = errno;
  [[maybe_unused]] const auto written = write(wake_pipe[1], &signal_byte, 1);
  errno = saved;
}

void catch_signals(void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  // What was ignored when this was started stays so: nohup, and a script that put this into the background, mean it.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

char wait_for_byte(int timeout_ms) {
  pollfd ready{wake_pipe[0], POLLIN, 0};
  for (;;) {
    const int count = poll(&ready, 1, timeout_ms);
    if (count == 0) return 0;
    char byte = 0;
    if (count > 0 && read(wake_pipe[0], &byte, 1) == 1) return byte;
    if (count < 0 && errno != EINTR) return end_byte;
  }
}

#if !defined(__SANITIZE_ADDRESS__)  // its own beginning stands in the way
/// The same promise before main(): setting up libraries as large as LibTorch takes a quarter of a second, and nothing
/// is at work yet that would have to be ended.
extern "C" void end_at_once(int) {
  constexpr std::string_view line = "error: interrupted: stopped before the work was begun; run it again\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
  _exit(5);
}

void catch_signals_early(int, char**, char**) {
  catch_signals(end_at_once, 0);
  end_unhandled_by_contract();
}

// Run before the constructors of every library.
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_all)(int, char**, char**) = catch_signals_early;
#endif

}  // namespace

InterruptGuard::InterruptGuard() {
  if (pipe2(wake_pipe.data(), O_CLOEXEC) != 0) return;  // no descriptors left: the default action of the signals stays
  catch_signals(on_signal, SA_RESTART);
  try {
    watcher_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {
    catch_signals(SIG_DFL, 0);  // no thread may be started: a signal ends the program as it ends others
  }
}

InterruptGuard::~InterruptGuard() {
  if (!watcher_.joinable()) return;
  [[maybe_unused]] const auto written = write(wake_pipe[1], &end_byte, 1);
  watcher_.join();
}

void InterruptGuard::watch() {
  if (wait_for_byte(-1) == end_byte) return;
  source_.request_stop();
  for (char byte = wait_for_byte(unwatched_works > 0 ? 0 : grace_ms); byte != end_byte;
       byte = wait_for_byte(grace_ms)) {
    if (byte == signal_byte) continue;
    const char* const advice = ending_advice;
    const Error error =
        make_error(ErrorCode::interrupted, "stopped before the work was done", advice != nullptr ? advice : "");
    std::fprintf(stderr, "%s\n", format_error_line(error).c_str());
    std::fflush(stderr);
    abandon_unfinished_files();
    _exit(exit_code(ErrorCode::interrupted));
  }
}

EndingAdvice::EndingAdvice(const char* advice) { ending_advice = advice; }
EndingAdvice::~EndingAdvice() { ending_advice = nullptr; }

UnwatchedWork::UnwatchedWork() { ++unwatched_works; }
UnwatchedWork::~UnwatchedWork() { --unwatched_works; }

}  // namespace natscope
