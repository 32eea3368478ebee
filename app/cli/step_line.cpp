// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/step_line.h"

#include <algorithm>
#include <cstdio>

#include "app/cli/terminal.h"

namespace natscope {

StepLine::StepLine() : terminal_(stderr_is_terminal()) {}

void StepLine::draw(const std::string& line) {
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  const auto columns = static_cast<std::size_t>(std::max(20, terminal_columns() - 1));
  std::fprintf(stderr, "\r\x1b[K%s", line.substr(0, columns).c_str());
  drawn_ = true;
}

void StepLine::end() {
  if (drawn_) std::fprintf(stderr, "\n");
  drawn_ = false;
}

}  // namespace natscope
