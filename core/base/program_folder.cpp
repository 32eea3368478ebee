// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/program_folder.h"

#include <system_error>

namespace natscope {

std::filesystem::path program_folder() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
}

std::filesystem::path program_module(std::string_view name) {
  const std::filesystem::path folder = program_folder();
  const std::filesystem::path installed = folder.parent_path() / "lib" / "natscope" / name;
  std::error_code ignored;
  const bool is_installed =
      !std::filesystem::exists(folder / name, ignored) && std::filesystem::exists(installed, ignored);
  return is_installed ? installed : folder / name;
}

}  // namespace natscope
