// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/step_line.h"

#include <algorithm>
#include <cstdio>

#include "app/cli/terminal/screen_text.h"
#include "app/cli/terminal/terminal.h"

namespace natscope {
namespace {

constexpr std::chrono::milliseconds draw_every{100};

}  // namespace

StepLine::StepLine() : terminal_(stderr_is_terminal()) {}

void StepLine::draw(const std::string& line) {
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_at_ < draw_every) {
    held_back_ = line;
    return;
  }
  drawn_at_ = now;
  held_back_.clear();
  write(line);
}

void StepLine::write(const std::string& line) {
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  std::fprintf(stderr, "\r\x1b[K%s", cut_to_columns(line, std::max(20, terminal_columns() - 1)).c_str());
  drawn_ = true;
}

void StepLine::end() {
  if (!held_back_.empty()) write(held_back_);
  held_back_.clear();
  if (drawn_) std::fprintf(stderr, "\n");
  drawn_ = false;
}

}  // namespace natscope
