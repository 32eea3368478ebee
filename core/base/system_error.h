// SPDX-License-Identifier: GPL-3.0-or-later
/// errno as an Error that names the file.
#pragma once

#include <filesystem>
#include <string>

#include "core/base/error.h"

namespace natscope {

/// `doing` is "open", "write", …; `number` is errno. ENOENT and ENOTDIR become file_not_found, ENOSPC and EDQUOT
/// disk_full, EISDIR and ENXIO not_a_regular_file, ENOMEM out_of_memory, the rest io_failure.
[[nodiscard]] Error system_error(int number, const std::string& doing, const std::filesystem::path& path);

}  // namespace natscope
