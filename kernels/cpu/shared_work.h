// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <omp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace natscope::kernels::cpu {

/// Runs `run(thread, begin, end)` over [0, count) on all OpenMP threads; `thread` is below omp_get_max_threads() and
/// nobody else's at that time.
///
/// Every thread owns one contiguous share and takes it in steps of `step`, so that it reads memory as one stream; who
/// is done takes steps of the others' shares. A thread that loses its core for a while then holds nobody up. What a
/// step computes must not depend on who runs it. `work` is about how many nanoseconds all of it takes one thread:
/// waking others costs some microseconds, more on a busy machine, and little work is done sooner alone.
template <class Run>
void share_work(std::int64_t count, std::int64_t step, double work, const Run& run) {
  constexpr double worth_waking = 20'000;
  constexpr int most_threads = 256;
  struct alignas(64) Share {
    std::atomic<std::int64_t> next;
    std::int64_t end;
  };
  const std::int64_t steps = (count + step - 1) / step;
  const auto worth = static_cast<std::int64_t>(std::min(work / worth_waking, 1e6)) + 1;
  const int threads = static_cast<int>(std::min<std::int64_t>({omp_get_max_threads(), most_threads, steps, worth}));
  if (threads <= 1 || omp_in_parallel() != 0) {
    if (count > 0) run(0, std::int64_t{0}, count);
    return;
  }
  std::array<Share, most_threads> shares;
  for (int thread = 0; thread < threads; ++thread) {
    Share& share = shares[static_cast<std::size_t>(thread)];
    share.next.store(steps * thread / threads * step, std::memory_order_relaxed);
    share.end = std::min(count, steps * (thread + 1) / threads * step);
  }
#pragma omp parallel num_threads(threads)
  {
    // The runtime may give fewer threads than asked for: their shares are taken like any other's.
    const int self = omp_get_thread_num();
    for (int offset = 0; offset < threads; ++offset) {
      Share& share = shares[static_cast<std::size_t>((self + offset) % threads)];
      for (;;) {
        const std::int64_t begin = share.next.fetch_add(step, std::memory_order_relaxed);
        if (begin >= share.end) break;
        run(self, begin, std::min(begin + step, share.end));
      }
    }
  }
}

}  // namespace natscope::kernels::cpu
