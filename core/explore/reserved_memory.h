// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <utility>

namespace natscope {

/// Address space that becomes memory page by page as it is written: an array that grows without ever moving, so that
/// readers may go on reading what is there while a writer adds to it.
class ReservedMemory {
 public:
  ReservedMemory() = default;
  /// data() is null when the system has no room for it.
  explicit ReservedMemory(std::size_t size_bytes);
  ReservedMemory(ReservedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  ReservedMemory& operator=(ReservedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  ReservedMemory(const ReservedMemory&) = delete;
  ReservedMemory& operator=(const ReservedMemory&) = delete;
  ~ReservedMemory();

  /// Asks for the memory of bytes first … end - 1 in one go, where the system can: writing there then waits no more,
  /// page by page. What lies beyond the end is left out.
  void make_ready(std::size_t first, std::size_t end) const;
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

}  // namespace natscope
