// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/base/system_error.h"
#include "core/base/unique_descriptor.h"

namespace natscope {
namespace {

struct OpenFile {
  UniqueDescriptor descriptor;
  std::uint64_t size_bytes = 0;
};

Unexpected not_regular(const std::filesystem::path& path, mode_t mode) {
  const char* const what = S_ISDIR(mode)    ? "a folder"
                           : S_ISFIFO(mode) ? "a pipe"
                           : S_ISSOCK(mode) ? "a socket"
                                            : "a device";
  return fail(ErrorCode::not_a_regular_file, path.string() + " is " + what);
}

Expected<OpenFile> open_regular(const std::filesystem::path& path) {
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
  return OpenFile{std::move(descriptor), static_cast<std::uint64_t>(info.st_size)};
}

}  // namespace

Expected<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  NATSCOPE_TRY(const OpenFile file, open_regular(path));
  MappedFile mapped;
  if (file.size_bytes == 0) return mapped;
  void* const address = ::mmap(nullptr, file.size_bytes, PROT_READ, MAP_PRIVATE, file.descriptor.get(), 0);
  if (address == MAP_FAILED) return Unexpected(system_error(errno, "map", path));
  mapped.data_ = static_cast<const std::byte*>(address);
  mapped.size_bytes_ = file.size_bytes;
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_bytes_);
}

void MappedFile::release_pages(std::span<const std::byte> part) const {
  if (part.empty() || data_ == nullptr) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto first = static_cast<std::size_t>(part.data() - data_);
  // Only pages that lie wholly inside: neighbours may be in use.
  const std::size_t begin = (first + page - 1) / page * page;
  const std::size_t end = (first + part.size()) / page * page;
  if (begin >= end) return;
  // Advice only: nothing depends on it.
  [[maybe_unused]] const int result = ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

bool path_exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

Expected<std::string> read_small_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  NATSCOPE_TRY(const OpenFile file, open_regular(path));
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
