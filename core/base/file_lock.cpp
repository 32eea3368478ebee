// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "core/base/system_error.h"

namespace natscope {
namespace {

Expected<UniqueDescriptor> open_lock(const std::filesystem::path& path) {
  UniqueDescriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!lock.is_open()) return Unexpected(system_error(errno, "open", path));
  return lock;
}

}  // namespace

Expected<std::optional<UniqueDescriptor>> try_lock(const std::filesystem::path& path) {
  NATSCOPE_TRY(UniqueDescriptor lock, open_lock(path));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return std::optional<UniqueDescriptor>();
  return std::optional(std::move(lock));
}

Expected<UniqueDescriptor> wait_for_lock(const std::filesystem::path& path) {
  NATSCOPE_TRY(UniqueDescriptor lock, open_lock(path));
  while (::flock(lock.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
  return lock;
}

}  // namespace natscope
