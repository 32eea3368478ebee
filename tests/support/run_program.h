// SPDX-License-Identifier: GPL-3.0-or-later
/// Running a program as a user does: arguments in, exit code and both streams out.
#pragma once

#include <csignal>
#include <string>
#include <vector>

namespace natscope::test {

struct ProgramResult {
  int exit_code = -1;  ///< -signal when a signal ended it
  std::string out;
  std::string err;
  double seconds = 0;

  /// The last line of stderr, without its line break.
  [[nodiscard]] std::string last_error_line() const;
  /// How many lines of stderr start with "error:".
  [[nodiscard]] int error_lines() const;
};

struct ProgramOptions {
  std::string input;           ///< for its standard input
  std::string out_file;        ///< where its standard output goes instead, if anywhere
  double signal_after_s = -1;  ///< sends `signal` then; negative: never
  int signal = SIGINT;
  double timeout_s = 60;  ///< then it is killed, and exit_code is -SIGKILL
};

/// No shell: argv[0] is the program's path.
[[nodiscard]] ProgramResult run_program(const std::vector<std::string>& argv, const ProgramOptions& options = {});

}  // namespace natscope::test
