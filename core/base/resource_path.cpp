// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/resource_path.h"

#include <cstdlib>
#include <system_error>

namespace natscope {

std::filesystem::path resource_path(std::string_view name) {
  if (const char* folder = std::getenv("NATSCOPE_RESOURCES"); folder != nullptr && *folder != '\0') {
    return std::filesystem::path(folder) / name;
  }
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  if (!ignored) {
    const auto installed = program.parent_path().parent_path() / "share" / "natscope" / name;
    if (std::filesystem::exists(installed, ignored)) return installed;
  }
  return std::filesystem::path(NATSCOPE_RESOURCE_DIR) / name;
}

}  // namespace natscope
