// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/cuda_on_host/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "tests/cuda_on_host/block_run.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size_bytes) (static_cast<void>(data), static_cast<void>(size_bytes))
#define ASAN_UNPOISON_MEMORY_REGION(data, size_bytes) (static_cast<void>(data), static_cast<void>(size_bytes))
#endif

namespace cuda_on_host {

namespace {

constexpr std::size_t reserved_bytes = std::size_t{1} << 40U;  // addresses, not memory
constexpr std::size_t alignment = 512;
constexpr std::size_t guard_bytes = 512;
constexpr std::size_t page_bytes = std::size_t{2} << 20U;          // large ones: few to open and close
constexpr std::size_t most_filled_bytes = std::size_t{16} << 20U;  // the rest of a large array begins as zeros
constexpr std::byte nan_byte{0xff};
constexpr std::byte guard_byte{0xc5};

std::size_t up(std::size_t size_bytes, std::size_t step) { return (size_bytes + step - 1) / step * step; }

}  // namespace

DeviceMemoryPages::DeviceMemoryPages() {
  void* const pages = mmap(nullptr, reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) refuse("no addresses for the device's memory");
  first_ = reinterpret_cast<std::byte*>(up(reinterpret_cast<std::uintptr_t>(pages), page_bytes));
  madvise(first_, reserved_bytes - page_bytes, MADV_HUGEPAGE);
}

void* DeviceMemoryPages::allocate(std::size_t size_bytes) {
  const std::size_t taken = up(size_bytes, alignment);
  if (taken > total_bytes - used_bytes_) return nullptr;
  const OpenPages opened(*this);
  std::byte* data = nullptr;
  if (const auto found = released_.find(taken); found != released_.end()) {
    data = found->second;
    released_.erase(found);
  } else {
    if (end_ + taken + 2 * guard_bytes > reserved_bytes - page_bytes) return nullptr;
    data = first_ + end_ + guard_bytes;
    end_ += taken + 2 * guard_bytes;
    if (mprotect(first_, up(end_, page_bytes), PROT_READ | PROT_WRITE) != 0) refuse("device memory cannot be opened");
  }
  ASAN_UNPOISON_MEMORY_REGION(data, taken);
  std::fill_n(data, std::min(size_bytes, most_filled_bytes), nan_byte);
  std::fill_n(data + size_bytes, taken - size_bytes + guard_bytes, guard_byte);
  ASAN_POISON_MEMORY_REGION(data + size_bytes, taken - size_bytes + guard_bytes);
  arrays_[data] = size_bytes;
  used_bytes_ += taken;
  return data;
}

bool DeviceMemoryPages::release(void* data) {
  const auto found = arrays_.find(static_cast<const std::byte*>(data));
  if (found == arrays_.end()) return false;
  auto* const begin = static_cast<std::byte*>(data);
  const std::size_t size_bytes = found->second;
  const std::size_t taken = up(size_bytes, alignment);
  const OpenPages opened(*this);
  ASAN_UNPOISON_MEMORY_REGION(begin + size_bytes, taken - size_bytes + guard_bytes);
  if (!std::all_of(begin + size_bytes, begin + taken + guard_bytes, [](std::byte byte) { return byte == guard_byte; }))
    refuse("an array of the device was written behind its end");
  std::fill_n(begin, std::min(size_bytes, most_filled_bytes), nan_byte);
  ASAN_POISON_MEMORY_REGION(begin, taken);
  used_bytes_ -= taken;
  arrays_.erase(found);
  released_.emplace(taken, begin);
  return true;
}

bool DeviceMemoryPages::holds(const void* data, std::size_t size_bytes) const {
  const auto* const begin = static_cast<const std::byte*>(data);
  const auto behind = arrays_.upper_bound(begin);
  if (behind == arrays_.begin()) return false;
  const auto& [array, array_bytes] = *std::prev(behind);
  return begin + size_bytes <= array + array_bytes;
}

void DeviceMemoryPages::open() {
  if (opened_++ == 0 && end_ > 0 && mprotect(first_, up(end_, page_bytes), PROT_READ | PROT_WRITE) != 0)
    refuse("device memory cannot be opened");
}

void DeviceMemoryPages::close() {
  if (--opened_ == 0 && end_ > 0 && mprotect(first_, up(end_, page_bytes), PROT_NONE) != 0)
    refuse("device memory cannot be closed");
}

}  // namespace cuda_on_host
