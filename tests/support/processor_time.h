// SPDX-License-Identifier: GPL-3.0-or-later
/// How long the processor works for this process: unlike a clock on the wall, the same on a busy machine.
#pragma once

#include <ctime>

namespace natscope::test {

template <class Work>
[[nodiscard]] double processor_seconds_of(const Work& work) {
  const std::clock_t before = std::clock();
  work();
  return static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
}

}  // namespace natscope::test
