// SPDX-License-Identifier: GPL-3.0-or-later
/// Progress on stderr, step by step.
#pragma once

#include <chrono>
#include <string>

namespace natscope {

/// One line that is drawn over on a terminal, and a line each elsewhere; ten a second at most, of which the last one is
/// never lost. A reader that stands still for a second (mpirun does, once it was interrupted) must not find its pipe
/// full: who writes there could not end.
class StepLine {
 public:
  StepLine();

  void draw(const std::string& line);

  /// Leaves the last line standing, so that what comes next begins on its own.
  void end();

 private:
  void write(const std::string& line);

  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point drawn_at_{};
  std::string held_back_;  // drawn too soon after another one
};

}  // namespace natscope
