// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <utility>

#include "core/base/system_error.h"

namespace natscope {
namespace {

Unexpected not_regular(const std::filesystem::path& path, mode_t mode) {
  const char* const what = S_ISDIR(mode)    ? "a folder"
                           : S_ISFIFO(mode) ? "a pipe"
                           : S_ISSOCK(mode) ? "a socket"
                                            : "a device";
  return fail(ErrorCode::not_a_regular_file, path.string() + " is " + what);
}

}  // namespace

Expected<RegularFile> open_regular_file(const std::filesystem::path& path) {
  if (path.native().find('\0') != std::string::npos) {
    return fail(ErrorCode::file_not_found, "a path holds a zero byte: " + path.string());
  }
  // Asked before the opening too, because opening some devices has effects of its own.
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Unexpected(system_error(errno, "open", path));
  if (!S_ISREG(info.st_mode)) return not_regular(path, info.st_mode);

  UniqueDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!descriptor.is_open()) return Unexpected(system_error(errno, "open", path));
  if (::fstat(descriptor.get(), &info) != 0) return Unexpected(system_error(errno, "read the size of", path));
  if (!S_ISREG(info.st_mode)) return not_regular(path, info.st_mode);
  return RegularFile{std::move(descriptor), static_cast<std::uint64_t>(info.st_size)};
}

}  // namespace natscope
