// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace natscope::kernels::cpu {

/// Gives out pages of one size, each an allocation of its own, and counts what it holds. Safe from several threads.
class KvPagePool {
 public:
  /// `page_bytes` is rounded up to `alignment`. `limit_bytes` 0: no limit but the machine's.
  KvPagePool(std::int64_t page_bytes, std::int64_t limit_bytes)
      : page_bytes_((page_bytes + alignment - 1) / alignment * alignment), limit_bytes_(limit_bytes) {}
  KvPagePool(const KvPagePool&) = delete;
  KvPagePool& operator=(const KvPagePool&) = delete;

  /// Null when memory or the limit does not allow it.
  [[nodiscard]] std::byte* take() {
    const std::int64_t held = held_bytes_.fetch_add(page_bytes_) + page_bytes_;
    void* page = limit_bytes_ > 0 && held > limit_bytes_
                     ? nullptr
                     : std::aligned_alloc(static_cast<std::size_t>(alignment), static_cast<std::size_t>(page_bytes_));
    if (page == nullptr) held_bytes_.fetch_sub(page_bytes_);
    return static_cast<std::byte*>(page);
  }

  void give_back(std::byte* page) {
    std::free(page);
    held_bytes_.fetch_sub(page_bytes_);
  }

  [[nodiscard]] std::int64_t held_bytes() const { return held_bytes_.load(); }

 private:
  static constexpr std::int64_t alignment = 64;  // a cache line and the widest vector

  std::int64_t page_bytes_;
  std::int64_t limit_bytes_;
  std::atomic<std::int64_t> held_bytes_{0};
};

}  // namespace natscope::kernels::cpu
