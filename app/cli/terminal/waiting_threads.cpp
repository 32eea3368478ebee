// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/waiting_threads.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace natscope {

void wait_asleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  std::error_code problem;
  // Not by the link itself: the process would be called "exe".
  const auto program = std::filesystem::read_symlink("/proc/self/exe", problem);
  if (problem || ::setenv("OMP_WAIT_POLICY", "passive", 1) != 0) return;
  ::execv(program.c_str(), argv);
  // What cannot begin again trains awake.
}

}  // namespace natscope
