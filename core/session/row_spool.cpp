// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/row_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

namespace natscope {
namespace {

Unexpected system_error(const std::string& what) {
  const int number = errno;
  return fail(number == ENOSPC || number == EDQUOT ? ErrorCode::disk_full : ErrorCode::io_failure,
              what + ": " + std::generic_category().message(number));
}

/// A file without a name: O_TMPFILE, or where the file system has none, one whose name is taken away at once.
int nameless_file(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return descriptor;
  std::string name = (folder / ".natscope-rows.XXXXXX").string();
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

Expected<RowSpool> RowSpool::create(const std::filesystem::path& folder) {
  const std::filesystem::path where = folder.empty() ? std::filesystem::path(".") : folder;
  const int descriptor = nameless_file(where);
  if (descriptor >= 0) return RowSpool(descriptor);
  if (errno == ENOENT || errno == ENOTDIR) {
    return fail(ErrorCode::file_not_found, "there is no folder “" + printable(where.string()) + "”");
  }
  return system_error("rows cannot be set aside in “" + printable(where.string()) + "”");
}

RowSpool::RowSpool(RowSpool&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), values_(std::exchange(other.values_, 0)) {}

RowSpool& RowSpool::operator=(RowSpool&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(values_, other.values_);
  return *this;
}

RowSpool::~RowSpool() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Expected<void> RowSpool::append(std::span<const float> row) {
  const auto bytes = std::as_bytes(row);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("rows cannot be set aside");
    done += static_cast<std::size_t>(written);
  }
  values_ += static_cast<std::int64_t>(row.size());
  return {};
}

Expected<void> RowSpool::produce(const TensorSink& sink) const {
  std::vector<std::byte> piece(std::size_t{1} << 20U);
  const auto total = static_cast<std::size_t>(values_) * sizeof(float);
  for (std::size_t done = 0; done < total;) {
    const std::size_t wanted = std::min(piece.size(), total - done);
    const ssize_t count = ::pread(descriptor_, piece.data(), wanted, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("rows that were set aside cannot be read");
    if (count == 0) return fail(ErrorCode::io_failure, "rows that were set aside have gone");
    NATSCOPE_CHECK(sink({piece.data(), static_cast<std::size_t>(count)}));
    done += static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace natscope
