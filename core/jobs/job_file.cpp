// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/system_error.h"
#include "core/base/unique_descriptor.h"

namespace natscope::jobs {

namespace {

struct OpenFile {
  UniqueDescriptor descriptor;
  std::uint64_t size_bytes = 0;
  std::uint64_t inode = 0;
};

Expected<OpenFile> open_plain(const std::filesystem::path& path) {
  UniqueDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  if (!descriptor.is_open()) {
    if (errno == ELOOP) return fail(ErrorCode::not_a_regular_file, path.string() + " is a symbolic link");
    return Unexpected(system_error(errno, "open", path));
  }
  struct stat info {};
  if (::fstat(descriptor.get(), &info) != 0) return Unexpected(system_error(errno, "read the size of", path));
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::not_a_regular_file, path.string() + " is not a plain file");
  return OpenFile{std::move(descriptor), static_cast<std::uint64_t>(info.st_size), info.st_ino};
}

/// Up to `bytes` from `offset` on; shorter at the file's end.
Expected<std::string> read_at(const OpenFile& file, const std::filesystem::path& path, std::uint64_t offset,
                              std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t filled = 0;
  while (filled < bytes) {
    const ssize_t count =
        ::pread(file.descriptor.get(), text.data() + filled, bytes - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unexpected(system_error(errno, "read", path));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  text.resize(filled);
  return text;
}

}  // namespace

Expected<std::string> read_job_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  NATSCOPE_TRY(const OpenFile file, open_plain(path));
  if (file.size_bytes > max_bytes) {
    return fail(ErrorCode::file_too_large, path.string() + " has more than " + std::to_string(max_bytes) + " bytes");
  }
  return read_at(file, path, 0, static_cast<std::size_t>(file.size_bytes));
}

FollowedFile::FollowedFile(std::filesystem::path path, std::size_t max_line_bytes)
    : path_(std::move(path)), max_line_bytes_(max_line_bytes) {}

void FollowedFile::begin_near_end(std::uint64_t bytes) { tail_bytes_ = bytes; }

Expected<NewLines> FollowedFile::poll() {
  NewLines news;
  auto file = open_plain(path_);
  if (!file && file.error().code == ErrorCode::file_not_found) return news;
  if (!file) return Unexpected(std::move(file).error());
  if (file_ != 0 && (file->inode != file_ || file->size_bytes < offset_)) {
    news.restarted = true;
    offset_ = 0;
    unfinished_.clear();
    skipping_ = skip_first_ = false;
  }
  file_ = file->inode;
  if (tail_bytes_ > 0 && file->size_bytes > tail_bytes_) {
    offset_ = file->size_bytes - tail_bytes_ - 1;  // one byte more: a line break there means that nothing is cut
    skip_first_ = true;
  }
  tail_bytes_ = 0;
  if (file->size_bytes <= offset_) return news;
  const std::uint64_t waiting = file->size_bytes - offset_;
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(waiting, poll_bytes));
  NATSCOPE_TRY(const std::string text, read_at(*file, path_, offset_, bytes));
  offset_ += text.size();
  news.more = waiting > text.size() && !text.empty();
  take(text, news);
  return news;
}

void FollowedFile::take(std::string_view bytes, NewLines& news) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view piece = bytes.substr(0, end);
    bytes.remove_prefix(whole ? end + 1 : bytes.size());
    if (!skipping_ && !skip_first_ && unfinished_.size() + piece.size() > max_line_bytes_) {
      skipping_ = true;
      ++news.oversized;
      unfinished_.clear();
    }
    if (!skipping_ && !skip_first_) unfinished_ += piece;
    if (!whole) return;
    if (!skipping_ && !skip_first_) news.lines.push_back(std::move(unfinished_));
    unfinished_.clear();
    skipping_ = skip_first_ = false;
  }
}

}  // namespace natscope::jobs
