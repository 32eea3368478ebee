// SPDX-License-Identifier: GPL-3.0-or-later
/// Loops that several threads share, on machines that have other things to do as well.
///
/// Every thread owns one contiguous share of a loop and takes it in steps, so that it reads memory as one stream; who
/// is done takes steps of the others' shares. The caller begins at once and waits for nobody but threads that are in
/// the middle of a step: a thread that the system did not wake, or took its core away from, holds nobody up. (OpenMP's
/// barriers wait for every thread: with both of two cores taken by other programs the demo went from 2300 tokens/s to
/// between 6 and 630 that way, where one thread alone gave 1000. tests/bench/busy_machine.py measures it.)
///
///     share_work(rows, 16, rows * 30.0, [&](int thread, std::int64_t begin, std::int64_t end) { … });
///
/// Threads are each caller's own, wait for its next loop for some microseconds before they sleep, and end with it. A
/// loop inside a loop runs on the thread that comes to it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace natscope::kernels {

/// How many threads, itself included, the calling thread's loops may use from now on; at least 1. OpenMP's number for
/// it is set as well: training kernels use that.
void set_threads(int threads);

/// That number; OpenMP's until it is set: the environment's, or one for each core that the process may use.
[[nodiscard]] int max_threads();

namespace shared_work {

using Body = void (*)(const void* context, int thread, std::int64_t begin, std::int64_t end);

/// As share_work, on `threads` threads at most.
void run(std::int64_t count, std::int64_t step, int threads, const void* context, Body body);

constexpr double worth_waking_ns = 20'000;  ///< what another thread should save: waking it costs some microseconds

}  // namespace shared_work

/// Runs `loop(thread, begin, end)` over [0, count), `step` at a time (the last one may be shorter); returns when all of
/// it is done. `thread` is below max_threads() and nobody else's at that time. What a step computes must not depend on
/// who runs it. What a step throws, the first one of several, is thrown here when all that began have ended; steps that
/// had not begun by then may be left out. `work_ns`: about what all of it takes one thread; little work is done sooner
/// alone.
template <class Loop>
void share_work(std::int64_t count, std::int64_t step, double work_ns, const Loop& loop) {
  const auto worth = static_cast<int>(std::min(work_ns / shared_work::worth_waking_ns, 1e6)) + 1;
  shared_work::run(count, step, std::min(worth, max_threads()), &loop,
                   [](const void* context, int thread, std::int64_t begin, std::int64_t end) {
                     (*static_cast<const Loop*>(context))(thread, begin, end);
                   });
}

/// The same for `loop(row)`, each of which takes about `row_ns`.
template <class Loop>
void share_rows(std::int64_t rows, double row_ns, const Loop& loop) {
  const auto step = static_cast<std::int64_t>(shared_work::worth_waking_ns / std::max(row_ns, 1.0)) + 1;
  share_work(rows, step, static_cast<double>(rows) * row_ns, [&](int, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) loop(row);
  });
}

}  // namespace natscope::kernels
