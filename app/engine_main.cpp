// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "app/engine_host.h"
#include "core/base/error.h"
#include "core/base/lost_file.h"
#include "core/base/standard_streams.h"

/// natscope-engine: the worker that a window talks to. Frames come in on stdin and go out on stdout, nothing else does.
namespace {

constexpr char help_text[] =
    "natscope-engine: runs a model for the NAtScope window\n"
    "\n"
    "Reads framed messages on standard input, answers on standard output, logs on standard error, and ends at the end\n"
    "of its input. The window starts it; to run it elsewhere, tell the window so: ssh gpubox natscope-engine\n"
    "\n"
    "  --help      this text\n"
    "  --version   the version\n";

/// Says what is wrong, as natscope-cli does. Returns the program's exit code.
int tell(const natscope::Error& error) {
  std::fprintf(stderr, "%s\n", natscope::format_error_line(error).c_str());
  return natscope::exit_code(error.code);
}

/// Prints a text for people, whole. Returns the program's exit code.
int tell(const char* text) {
  if (std::fputs(text, stdout) >= 0 && std::fflush(stdout) == 0) return 0;
  return tell(natscope::make_error(natscope::ErrorCode::io_failure, "standard output cannot be written"));
}

/// Takes stdout away from everything but the frames: what a library prints goes to stderr.
int claim_output() {
  const int output = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (output < 0) return -1;
  // Started without a stderr, a program has nowhere to print to.
  if (::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
  return output;
}

int run(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return tell(help_text);
    if (argument == "--version") return tell("natscope-engine " NATSCOPE_VERSION "\n");
    return tell(natscope::make_error(natscope::ErrorCode::usage, "unknown argument \"" + std::string(argument) + "\"",
                                     "natscope-engine needs none; see --help"));
  }
  std::signal(SIGPIPE, SIG_IGN);
  const int output = claim_output();
  if (output < 0) {
    return tell(natscope::make_error(natscope::ErrorCode::io_failure, "standard output cannot be used",
                                     "start the engine with both ends of a pipe"));
  }
  natscope::TorchEngineHost host;
  // Here, with the host alive: a checksum may still be computed in a thread of its own, and nobody waits for it.
  natscope::end_process(natscope::serve(STDIN_FILENO, output, host));
}

}  // namespace

int main(int argc, char** argv) {
  natscope::settle_standard_streams();
  natscope::end_with_a_word_on_lost_files();
  natscope::end_process(run(argc, argv));
}
