// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>

#include "core/protocol/messages.h"

namespace natscope::protocol {

/// Writes whole frames to a descriptor, from any thread. A reader who does not read holds writers back; once nobody
/// will read any more (limit_waiting), waiting for them has an end.
class FrameWriter {
 public:
  /// `on_lost` is called once, from a writing thread, when the other end is gone.
  FrameWriter(int descriptor, std::function<void()> on_lost) : descriptor_(descriptor), on_lost_(std::move(on_lost)) {}

  /// False when the frame was not written: the other end is gone.
  bool send(const Envelope& envelope);
  bool send(const Envelope& request, Message answer);  ///< with the request's id and generation

  /// From now on a reader who takes nothing for this long counts as gone.
  void limit_waiting(std::chrono::milliseconds patience) { patience_ms_ = patience.count(); }
  /// Nothing is written and nobody is called any more; waits for a write that is under way.
  void close();

  [[nodiscard]] bool lost() const { return is_lost_; }

 private:
  bool write_all(const std::vector<std::uint8_t>& bytes);
  bool wait_until_writable();

  int descriptor_;
  std::function<void()> on_lost_;
  std::mutex mutex_;
  std::atomic<std::int64_t> patience_ms_{-1};
  std::atomic<bool> is_closed_{false};
  std::atomic<bool> is_lost_{false};
};

}  // namespace natscope::protocol
