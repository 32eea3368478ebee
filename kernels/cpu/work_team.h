// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "kernels/shared_work.h"

namespace natscope::kernels::cpu {

/// A caller and the threads that may join its loops. One loop at a time; all of it is called by one thread.
///
/// A loop stands open while there is something left to take. Threads that come in time join it, take steps, and leave;
/// when the caller finds nothing left it closes the loop and waits for those inside. Who comes later finds it closed.
class WorkTeam {
 public:
  /// Starts `threads` - 1 threads, or as many as the system gives.
  explicit WorkTeam(int threads);
  WorkTeam(const WorkTeam&) = delete;
  WorkTeam& operator=(const WorkTeam&) = delete;
  ~WorkTeam();

  /// What was asked for, whatever the system gave.
  [[nodiscard]] int threads() const { return threads_; }

  /// Runs the loop on the caller and at most `threads` - 1 others. `count` > 0. Throws what a step threw.
  void run(std::int64_t count, std::int64_t step, int threads, const void* context, shared_work::Body body);

 private:
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };
  struct alignas(64) Member {
    std::atomic<std::uint32_t> calls{0};  ///< grows with every loop that it may join, and at the end
    std::thread thread;
  };
  struct Loop {
    std::int64_t step = 0;
    int shares = 0;
    const void* context = nullptr;
    shared_work::Body body = nullptr;
  };

  void wait_for_loops(int thread, const std::atomic<std::uint32_t>& calls);
  bool join();
  void leave();
  void take_steps(int thread);
  void give_up(std::exception_ptr problem);

  static constexpr std::uint32_t closed = 1U << 31U;

  const int threads_;
  Loop loop_;
  std::unique_ptr<Share[]> shares_;
  std::unique_ptr<Member[]> members_;
  int started_ = 0;                                        ///< of members_
  alignas(64) std::atomic<std::uint32_t> inside_{closed};  ///< members inside the loop, and whether it is closed
  std::atomic<bool> ends_{false};
  std::mutex problem_mutex_;
  std::exception_ptr problem_;  ///< what a step of the loop threw first
};

}  // namespace natscope::kernels::cpu
