// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/program_folder.h"

#include <system_error>

namespace natscope {

std::filesystem::path program_folder() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
}

}  // namespace natscope
