// SPDX-License-Identifier: GPL-3.0-or-later
/// A zip file made by hand, with any nonsense in its headers: to see what a reader does with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace natscope::test {

struct ZipEntry {
  std::string name;
  std::string bytes;
  std::uint16_t method = 0;  ///< 0: stored
  std::uint16_t flags = 0;
  std::optional<std::uint32_t> stored_size, size, checksum, offset;  ///< what the headers say instead
  std::string extra;                                                 ///< of the central directory's header
};

/// Entries in their order, the central directory, its end record.
[[nodiscard]] std::string zip_bytes(const std::vector<ZipEntry>& entries);

}  // namespace natscope::test
