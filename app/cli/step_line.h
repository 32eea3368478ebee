// SPDX-License-Identifier: GPL-3.0-or-later
/// Progress on stderr, step by step.
#pragma once

#include <string>

namespace natscope {

/// One line that is drawn over on a terminal, and a line each elsewhere.
class StepLine {
 public:
  StepLine();

  void draw(const std::string& line);

  /// Leaves the last line standing, so that what comes next begins on its own.
  void end();

 private:
  bool terminal_;
  bool drawn_ = false;
};

}  // namespace natscope
