// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/reserved_memory.h"

#include <sys/mman.h>

namespace natscope {

ReservedMemory::ReservedMemory(std::size_t size_bytes) {
  if (size_bytes == 0) return;
  void* const mapped =
      ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return;
  data_ = static_cast<std::byte*>(mapped);
  size_bytes_ = size_bytes;
}

ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

}  // namespace natscope
