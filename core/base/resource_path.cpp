// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/resource_path.h"

#include <cstdlib>
#include <system_error>

#include "core/base/program_folder.h"

namespace natscope {

std::filesystem::path resource_path(std::string_view name) {
  if (const char* folder = std::getenv("NATSCOPE_RESOURCES"); folder != nullptr && *folder != '\0') {
    return std::filesystem::path(folder) / name;
  }
  if (const auto folder = program_folder(); !folder.empty()) {
    const auto installed = folder.parent_path() / "share" / "natscope" / name;
    std::error_code ignored;
    if (std::filesystem::exists(installed, ignored)) return installed;
  }
  return std::filesystem::path(NATSCOPE_RESOURCE_DIR) / name;
}

std::filesystem::path demo_model_path() { return resource_path("demo"); }
std::filesystem::path demo_twin_path() { return resource_path("demo-full"); }

}  // namespace natscope
