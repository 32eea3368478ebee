// SPDX-License-Identifier: GPL-3.0-or-later
/// The most memory that this process held at once, as the system counts it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

namespace natscope::test {

/// Since the process began, or since forget_peak_memory().
[[nodiscard]] inline std::int64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * std::atoll(line.c_str() + 6);
  }
  return 0;
}

/// The peak is what is held now.
inline void forget_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

/// How much more than before was held at once while `work` ran.
template <class Work>
[[nodiscard]] std::int64_t peak_memory_of(const Work& work) {
  forget_peak_memory();
  const std::int64_t before = peak_memory_bytes();
  work();
  return peak_memory_bytes() - before;
}

}  // namespace natscope::test
