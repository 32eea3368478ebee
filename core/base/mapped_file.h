// SPDX-License-Identifier: GPL-3.0-or-later
/// A regular file, mapped for reading.
///
/// The size is read once, at open. Hazard: when another process truncates the file while it is mapped, reading the lost
/// part raises SIGBUS, which ends the program (core/base/lost_file.h); that is the price of loading gigabytes of
/// weights once. Files that are small and parsed should be read with core/base/small_file.h, which does not have it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "core/base/expected.h"

namespace natscope {

class MappedFile {
 public:
  /// Errors: file_not_found, not_a_regular_file, io_failure, out_of_memory (no address space).
  [[nodiscard]] static Expected<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// Valid as long as this object (and what it was moved to) lives; page-aligned; empty for an empty file.
  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

  /// Lets the system forget the pages inside `part`, which must lie in bytes(): they are read again when touched.
  void release_pages(std::span<const std::byte> part) const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

}  // namespace natscope
