// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/small_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/base/regular_file.h"
#include "core/base/system_error.h"

namespace natscope {

bool path_exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

Expected<std::string> read_small_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  NATSCOPE_TRY(const RegularFile file, open_regular_file(path));
  const auto too_large = [&] {
    return fail(ErrorCode::file_too_large,
                path.string() + " has more than the " + std::to_string(max_bytes) + " bytes allowed");
  };
  if (file.size_bytes > max_bytes) return too_large();
  std::string content;
  // What the size says may be wrong (a file that grows, /proc): read to the end, within the limit.
  constexpr std::size_t piece_bytes = std::size_t{1} << 20;
  std::size_t have = 0;
  while (true) {
    content.resize(have + std::clamp<std::size_t>(file.size_bytes - std::min<std::uint64_t>(have, file.size_bytes),
                                                  4096, piece_bytes));
    const ssize_t got = ::read(file.descriptor.get(), content.data() + have, content.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(system_error(errno, "read", path));
    have += static_cast<std::size_t>(got);
    if (have > max_bytes) return too_large();
    if (got == 0) break;
  }
  content.resize(have);
  return content;
}

}  // namespace natscope
