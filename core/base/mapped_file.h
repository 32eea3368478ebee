// SPDX-License-Identifier: GPL-3.0-or-later
/// A regular file, read-only: mapped, or read whole into memory when it is small.
///
/// Opening never blocks (a FIFO is refused, not waited for) and never follows into devices. The size is read once, at
/// open. Hazard: when another process truncates the file while it is mapped, reading the lost part raises SIGBUS, which
/// ends the program (core/base/lost_file.h); that is the price of loading gigabytes of weights once. Files that are
/// small and parsed should be read with read_small_file(), which does not have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

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

/// Whether anything stands under this name, be it a link to nothing. Never fails: what cannot be looked at is not
/// there.
[[nodiscard]] bool path_exists(const std::filesystem::path& path);

/// The whole content of a regular file of at most `max_bytes`. Memory follows what the file holds.
/// Errors: file_not_found, not_a_regular_file, file_too_large, io_failure.
[[nodiscard]] Expected<std::string> read_small_file(const std::filesystem::path& path, std::uint64_t max_bytes);

}  // namespace natscope
