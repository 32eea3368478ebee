// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/work_team.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace natscope::kernels {

namespace cpu {

namespace {

constexpr int looks_before_sleep = 2000;  // 30 to 100 µs: longer than what lies between two loops of a token

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Waits until `value` is not `old`: awake for a moment, then asleep.
std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int look = 0; look < looks_before_sleep; ++look) {
    const std::uint32_t seen = value.load(std::memory_order_acquire);
    if (seen != old) return seen;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

thread_local bool is_inside = false;  // a loop, as its caller or as a member

}  // namespace

WorkTeam::WorkTeam(int threads)
    : threads_(threads),
      shares_(std::make_unique<Share[]>(static_cast<std::size_t>(threads))),
      members_(std::make_unique<Member[]>(static_cast<std::size_t>(threads - 1))) {
  try {
    for (; started_ < threads - 1; ++started_) {
      Member& member = members_[static_cast<std::size_t>(started_)];
      member.thread = std::thread([this, &member, number = started_ + 1] { wait_for_loops(number, member.calls); });
    }
  } catch (const std::exception&) {
    return;  // no more threads to be had: the loops are done by fewer
  }
}

WorkTeam::~WorkTeam() {
  ends_.store(true, std::memory_order_relaxed);
  const std::span members(members_.get(), static_cast<std::size_t>(started_));
  for (Member& member : members) {
    member.calls.fetch_add(1, std::memory_order_release);
    member.calls.notify_one();
  }
  for (Member& member : members) member.thread.join();
}

void WorkTeam::run(std::int64_t count, std::int64_t step, int threads, const void* context, shared_work::Body body) {
  const std::int64_t steps = (count + step - 1) / step;
  loop_ = {step, threads, context, body};
  for (int thread = 0; thread < threads; ++thread) {
    Share& share = shares_[static_cast<std::size_t>(thread)];
    share.next.store(steps * thread / threads * step, std::memory_order_relaxed);
    share.end = std::min(count, steps * (thread + 1) / threads * step);
  }
  inside_.store(0, std::memory_order_release);
  for (Member& member : std::span(members_.get(), static_cast<std::size_t>(std::min(threads - 1, started_)))) {
    member.calls.fetch_add(1, std::memory_order_release);
    member.calls.notify_one();
  }
  is_inside = true;
  take_steps(0);
  is_inside = false;
  std::uint32_t inside = inside_.fetch_or(closed, std::memory_order_acq_rel) | closed;
  while (inside != closed) inside = wait_for_change(inside_, inside);
  if (problem_) std::rethrow_exception(std::exchange(problem_, nullptr));
}

void WorkTeam::wait_for_loops(int thread, const std::atomic<std::uint32_t>& calls) {
  is_inside = true;
  for (std::uint32_t seen = 0;;) {
    seen = wait_for_change(calls, seen);
    if (ends_.load(std::memory_order_relaxed)) return;
    if (!join()) continue;
    take_steps(thread);
    leave();
  }
}

bool WorkTeam::join() {
  std::uint32_t inside = inside_.load(std::memory_order_relaxed);
  while ((inside & closed) == 0) {
    if (inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
  }
  return false;
}

void WorkTeam::leave() {
  if (inside_.fetch_sub(1, std::memory_order_acq_rel) == (closed | 1U)) inside_.notify_one();
}

void WorkTeam::take_steps(int thread) {
  for (int offset = 0; offset < loop_.shares; ++offset) {
    Share& share = shares_[static_cast<std::size_t>((thread + offset) % loop_.shares)];
    // Looked at first: a share that is done stays in the caches of all.
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      const std::int64_t begin = share.next.fetch_add(loop_.step, std::memory_order_relaxed);
      if (begin >= share.end) break;
      try {
        loop_.body(loop_.context, thread, begin, std::min(begin + loop_.step, share.end));
      } catch (...) {
        return give_up(std::current_exception());
      }
    }
  }
}

void WorkTeam::give_up(std::exception_ptr problem) {
  const std::scoped_lock lock(problem_mutex_);
  if (!problem_) problem_ = std::move(problem);
  // Nobody finds anything left to take.
  for (int share = 0; share < loop_.shares; ++share)
    shares_[static_cast<std::size_t>(share)].next.store(std::numeric_limits<std::int64_t>::max() / 2,
                                                        std::memory_order_relaxed);
}

}  // namespace cpu

namespace {

thread_local int threads_of_this_thread = 0;  // 0: not set
thread_local std::optional<cpu::WorkTeam> team_of_this_thread;

}  // namespace

void set_threads(int threads) {
  threads_of_this_thread = std::max(threads, 1);
  omp_set_num_threads(threads_of_this_thread);
}

int max_threads() { return threads_of_this_thread > 0 ? threads_of_this_thread : omp_get_max_threads(); }

void shared_work::run(std::int64_t count, std::int64_t step, int threads, const void* context, Body body) {
  if (count <= 0) return;
  const int most = max_threads();
  threads = static_cast<int>(std::min<std::int64_t>(std::min(threads, most), (count + step - 1) / step));
  if (threads <= 1 || cpu::is_inside || omp_in_parallel() != 0) return body(context, 0, 0, count);
  std::optional<cpu::WorkTeam>& team = team_of_this_thread;
  if (!team || team->threads() != most) team.emplace(most);
  team->run(count, step, threads, context, body);
}

}  // namespace natscope::kernels
