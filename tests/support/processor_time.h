// SPDX-License-Identifier: GPL-3.0-or-later
/// How long the processor works for this process: unlike a clock on the wall, the same on a busy machine. Under a
/// sanitizer, which makes code several times as slow, a fifth of it.
#pragma once

#include <ctime>

namespace natscope::test {

#ifdef __SANITIZE_ADDRESS__
inline constexpr double times_as_slow = 5;
#else
inline constexpr double times_as_slow = 1;
#endif

template <class Work>
[[nodiscard]] double processor_seconds_of(const Work& work) {
  const std::clock_t before = std::clock();
  work();
  return static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC / times_as_slow;
}

}  // namespace natscope::test
