// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/expected.h"

namespace natscope {

/// Whether anything stands under this name, be it a link to nothing. Never fails: what cannot be looked at is not
/// there.
[[nodiscard]] bool path_exists(const std::filesystem::path& path);

/// The whole content of a regular file of at most `max_bytes`. Memory follows what the file holds.
/// Errors: file_not_found, not_a_regular_file, file_too_large, io_failure.
[[nodiscard]] Expected<std::string> read_small_file(const std::filesystem::path& path, std::uint64_t max_bytes);

}  // namespace natscope
