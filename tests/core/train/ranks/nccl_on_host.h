// SPDX-License-Identifier: GPL-3.0-or-later
/// What nccl_on_host.cpp takes for a stream.
#pragma once

#include <functional>
#include <vector>

namespace natscope::test {

/// Work that was given to a stream and has not begun.
struct HostStream {
  std::vector<std::function<void()>> waiting;

  void work() {
    for (const auto& item : waiting) item();
    waiting.clear();
  }
};

/// How communicators of the module ended: nccl_on_host_ends().
struct CommunicatorEnds {
  int destroyed = 0;
  int aborted = 0;
};

/// More ranks than this the module does not join.
inline constexpr int most_ranks = 4;

}  // namespace natscope::test
