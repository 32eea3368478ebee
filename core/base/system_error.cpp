// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/system_error.h"

#include <cerrno>
#include <system_error>

namespace natscope {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::file_not_found;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::disk_full;
    case EISDIR:
    case ENXIO:
      return ErrorCode::not_a_regular_file;
    case ENOMEM:
      return ErrorCode::out_of_memory;
    default:
      return ErrorCode::io_failure;
  }
}

}  // namespace

Error system_error(int number, const std::string& doing, const std::filesystem::path& path) {
  const std::string what = "cannot " + doing + " " + path.string() + ": " + std::generic_category().message(number);
  if (number == EFBIG) return make_error(ErrorCode::io_failure, what, "raise the limit of a file's size (ulimit -f)");
  return make_error(code_of(number), what);
}

}  // namespace natscope
