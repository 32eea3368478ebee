// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/row_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "core/base/system_error.h"

namespace natscope {
namespace {

/// A file without a name: O_TMPFILE, or where the file system has none, one whose name is taken away at once.
UniqueDescriptor nameless_file(const std::filesystem::path& folder) {
  UniqueDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.is_open() || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
  std::string name = (folder / ".natscope-rows.XXXXXX").string();
  UniqueDescriptor named(::mkostemp(name.data(), O_CLOEXEC));
  if (named.is_open()) ::unlink(name.c_str());
  return named;
}

}  // namespace

Expected<RowSpool> RowSpool::create(const std::filesystem::path& folder) {
  const std::filesystem::path where = folder.empty() ? std::filesystem::path(".") : folder;
  UniqueDescriptor file = nameless_file(where);
  if (!file.is_open()) return Unexpected(system_error(errno, "set rows aside in", where));
  return RowSpool(std::move(file), where);
}

Expected<void> RowSpool::append(std::span<const float> row) {
  const auto bytes = std::as_bytes(row);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(file_.get(), bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Unexpected(system_error(errno, "set rows aside in", folder_));
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
    const ssize_t count = ::pread(file_.get(), piece.data(), wanted, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unexpected(system_error(errno, "read the rows that were set aside in", folder_));
    if (count == 0) return fail(ErrorCode::io_failure, "rows that were set aside have gone");
    NATSCOPE_CHECK(sink({piece.data(), static_cast<std::size_t>(count)}));
    done += static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace natscope
