// SPDX-License-Identifier: GPL-3.0-or-later
/// A mailbox that holds one value: the latest. A fast producer never waits for, or queues behind, a slow consumer.
///
///     LatestValue<Frame> frames;
///     frames.put(frame);                                  // engine thread, once a token
///     if (auto frame = frames.take()) draw(*frame);       // window, on a timer
///
/// Threads: any number on either side.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace natscope {

template <class T>
class LatestValue {
 public:
  /// Replaces what was there. Returns true when an unread value was replaced.
  bool put(T value) {
    // The replaced value is destroyed after the lock is released: it may be large.
    std::optional<T> fresh(std::move(value));
    {
      const std::lock_guard lock(mutex_);
      value_.swap(fresh);
      ++version_;
    }
    changed_.notify_one();
    return fresh.has_value();
  }

  /// Takes the value out; nothing when none came since the last take.
  [[nodiscard]] std::optional<T> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(value_, std::nullopt);
  }

  /// Waits for a value; nothing once a stop was asked for.
  [[nodiscard]] std::optional<T> wait_and_take(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [this] { return value_.has_value(); });
    if (stop.stop_requested() && !value_) return std::nullopt;
    return std::exchange(value_, std::nullopt);
  }

  /// How many values were ever put.
  [[nodiscard]] std::uint64_t version() const {
    const std::lock_guard lock(mutex_);
    return version_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<T> value_;
  std::uint64_t version_ = 0;
};

}  // namespace natscope
