// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/base/regular_file.h"
#include "core/base/system_error.h"

namespace natscope {

Expected<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  NATSCOPE_TRY(const RegularFile file, open_regular_file(path));
  MappedFile mapped;
  if (file.size_bytes == 0) return mapped;
  void* const address = ::mmap(nullptr, file.size_bytes, PROT_READ, MAP_PRIVATE, file.descriptor.get(), 0);
  if (address == MAP_FAILED) return Unexpected(system_error(errno, "map", path));
  mapped.data_ = static_cast<const std::byte*>(address);
  mapped.size_bytes_ = file.size_bytes;
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

void MappedFile::release_pages(std::span<const std::byte> part) const {
  if (part.empty() || data_ == nullptr) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto first = static_cast<std::size_t>(part.data() - data_);
  // Only pages that lie wholly inside: neighbours may be in use.
  const std::size_t begin = (first + page - 1) / page * page;
  const std::size_t end = (first + part.size()) / page * page;
  if (begin >= end) return;
  // Advice only: nothing depends on it.
  [[maybe_unused]] const int result = ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace natscope
