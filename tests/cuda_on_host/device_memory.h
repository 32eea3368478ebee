// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <map>

namespace cuda_on_host {

/// The device's memory: pages of the process that nobody may touch but through open(), so that a host that follows a
/// pointer of the device dies as it would with a GPU. Arrays stand apart between guard zones; what was not written is
/// NaN. Not for several threads.
class DeviceMemoryPages {
 public:
  static constexpr std::size_t total_bytes = std::size_t{4} << 30U;  ///< what the device says it has

  DeviceMemoryPages();
  [[nodiscard]] void* allocate(std::size_t size_bytes);  ///< null: none left
  [[nodiscard]] bool release(void* data);                ///< false: not allocated
  /// Whether the bytes lie in one array.
  [[nodiscard]] bool holds(const void* data, std::size_t size_bytes) const;
  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }

  void open();
  void close();

 private:
  std::byte* first_ = nullptr;
  std::size_t end_ = 0;  ///< of what was ever handed out
  std::size_t used_bytes_ = 0;
  int opened_ = 0;
  std::map<const std::byte*, std::size_t> arrays_;
  std::multimap<std::size_t, std::byte*> released_;  ///< places, by size: few pages are opened and closed quickly
};

/// The device's memory is open as long as this lives.
class OpenPages {
 public:
  explicit OpenPages(DeviceMemoryPages& pages) : pages_(pages) { pages_.open(); }
  ~OpenPages() { pages_.close(); }
  OpenPages(const OpenPages&) = delete;
  OpenPages& operator=(const OpenPages&) = delete;

 private:
  DeviceMemoryPages& pages_;
};

}  // namespace cuda_on_host
