// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the running program lies, and with it the programs and modules that are installed beside it.
#pragma once

#include <filesystem>
#include <string_view>

namespace natscope {

/// An absolute path; empty where the system does not say.
[[nodiscard]] std::filesystem::path program_folder();

/// An absolute path to a shared module of this program: beside it (a build), else in `../lib/natscope` (an
/// installation). Where it is in neither, the first of the two.
[[nodiscard]] std::filesystem::path program_module(std::string_view name);

}  // namespace natscope
