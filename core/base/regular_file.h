// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/expected.h"
#include "core/base/unique_descriptor.h"

namespace natscope {

struct RegularFile {
  UniqueDescriptor descriptor;
  std::uint64_t size_bytes = 0;  ///< when it was opened
};

/// Opens a regular file for reading. Never blocks (a FIFO is refused, not waited for), and opens no device.
/// Errors: file_not_found, not_a_regular_file, io_failure.
[[nodiscard]] Expected<RegularFile> open_regular_file(const std::filesystem::path& path);

}  // namespace natscope
