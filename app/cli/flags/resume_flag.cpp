// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/resume_flag.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace natscope {

std::string ignored_beside_resume(const CLI::App& command) {
  constexpr auto heeded =
      std::to_array<std::string_view>({"--resume", "--job", "--json", "--help", "--forecast", "--detach"});
  const bool has_job = command.count("--job") > 0;
  std::string ignored;
  for (const CLI::Option* const option : command.get_options()) {
    const std::string name = option->get_name();
    const bool says_where = name == "--out" && !has_job;
    if (option->count() == 0 || says_where || std::find(heeded.begin(), heeded.end(), name) != heeded.end()) continue;
    ignored += (ignored.empty() ? "" : ", ") + name;
  }
  return ignored.empty() ? ignored : "--resume keeps the job's own options; ignored: " + ignored;
}

}  // namespace natscope
