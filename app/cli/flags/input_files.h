// SPDX-License-Identifier: GPL-3.0-or-later
/// What a command reads must not be what it writes, and - is not the name of a file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

/// A file that a flag names, to be read or written.
struct InputFile {
  std::string flag;  ///< "--prompt-file"
  std::filesystem::path path;
};

/// Whether writing `out` would overwrite one of the files, by whatever path or link it goes, or make a file "-" of what
/// was meant to be standard output. Errors: usage (names the flag).
[[nodiscard]] Expected<void> check_not_input(const std::filesystem::path& out, const std::vector<InputFile>& inputs);

/// Whether every flag's file can be written, overwrites no input, and is no other flag's; an empty path is none.
/// Errors: usage, those of check_writable_target.
[[nodiscard]] Expected<void> check_outputs(const std::vector<InputFile>& outputs, const std::vector<InputFile>& inputs);

/// The files in a model's or adapter's folder that it is read from. Empty where there is no such folder.
[[nodiscard]] std::vector<InputFile> model_files(const std::string& flag, const std::filesystem::path& folder);

}  // namespace natscope
