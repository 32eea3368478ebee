// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the running program lies, and with it the programs and modules that are installed beside it.
#pragma once

#include <filesystem>

namespace natscope {

/// An absolute path; empty where the system does not say.
[[nodiscard]] std::filesystem::path program_folder();

}  // namespace natscope
