// SPDX-License-Identifier: GPL-3.0-or-later
/// How work grows with what it is done to, told by how long the processor works for this process: unlike a clock on the
/// wall, the same on a busy machine. Compared with itself it holds on a slow one and under a sanitizer, too.
#pragma once

#include <cstdint>
#include <ctime>

namespace natscope::test {

/// How many times as long `work(size)` takes as `work(size / 4)`: 4 where each part is looked at once, 16 where each
/// looks at all others. What `prepare` does before, with the same numbers, does not count.
///   0 where even all of it takes less than a clock tells apart
template <class Prepare, class Work>
[[nodiscard]] double times_as_long(std::int64_t size, const Prepare& prepare, const Work& work) {
  const auto ticks = [&](std::int64_t of) {
    prepare(of);
    const std::clock_t before = std::clock();
    work(of);
    return static_cast<double>(std::clock() - before);
  };
  const double quarter = ticks(size / 4);
  const double all = ticks(size);
  constexpr double shortest = CLOCKS_PER_SEC / 50.0;
  return all < shortest ? 0 : all / (quarter > 0 ? quarter : 1);
}

/// What is surely not the square: half of its 16, for caches and allocators that are slower when there is more.
inline constexpr double evenly = 8;

}  // namespace natscope::test
