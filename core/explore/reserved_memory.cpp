// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/reserved_memory.h"

#include <sys/mman.h>

#include <algorithm>

namespace natscope {

ReservedMemory::ReservedMemory(std::size_t size_bytes) {
  if (size_bytes == 0) return;
  void* const mapped =
      ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return;
  data_ = static_cast<std::byte*>(mapped);
  size_bytes_ = size_bytes;
}

void ReservedMemory::make_ready(std::size_t first, std::size_t end) const {
#ifdef MADV_POPULATE_WRITE
  constexpr std::size_t page_bytes = 4096;  // of x86-64; where it is larger the system refuses, and nothing is lost
  first -= first % page_bytes;
  end = std::min(end + (page_bytes - end % page_bytes) % page_bytes, size_bytes_);
  if (first < end) (void)::madvise(data_ + first, end - first, MADV_POPULATE_WRITE);
#else
  (void)first;
  (void)end;
#endif
}

ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

}  // namespace natscope
