// SPDX-License-Identifier: GPL-3.0-or-later
/// What a command reads must not be what it writes, and - is not the name of a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

struct InputFile {
  std::string flag;  ///< "--prompt-file"
  std::filesystem::path path;
};

/// Whether writing `out` would overwrite one of the files, by whatever path or link it goes, or make a file "-" of what
/// was meant to be standard output. Errors: usage (names the flag).
[[nodiscard]] Expected<void> check_not_input(const std::filesystem::path& out, const std::vector<InputFile>& inputs);

/// The files in a model's or adapter's folder that it is read from. Empty where there is no such folder.
[[nodiscard]] std::vector<InputFile> model_files(const std::string& flag, const std::filesystem::path& folder);

}  // namespace natscope
