// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/output_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

#include "core/base/cancel.h"
#include "core/base/system_error.h"

namespace natscope {
namespace {

constexpr auto pause = std::chrono::milliseconds(20);

std::string plain(const std::string& out) {
  std::error_code failed;
  return std::filesystem::absolute(out, failed).lexically_normal().string();
}

/// A descriptor that the program was started with, by its name: opened again, a file behind it would be written from
/// its beginning.
std::optional<int> inherited(const std::string& out) {
  if (out == "-") return STDOUT_FILENO;
  const std::string path = plain(out);
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    int number = -1;
    const char* const end = path.data() + path.size();
    const auto read = std::from_chars(path.data() + folder.size(), end, number);
    if (read.ec == std::errc{} && read.ptr == end && number >= 0) return number;
  }
  return std::nullopt;
}

}  // namespace

bool is_stream(const std::string& out) {
  if (inherited(out)) return true;
  struct stat info {};
  return ::stat(out.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

Expected<OutputStream> OutputStream::open(const std::string& out, const std::stop_token& stop) {
  OutputStream stream;
  stream.name_ = out == "-" ? "standard output" : out;
  if (const auto number = inherited(out)) {
    stream.is_standard_output_ = *number == STDOUT_FILENO;
    stream.descriptor_ = UniqueDescriptor(::fcntl(*number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!stream.descriptor_.is_open()) return Unexpected(system_error(errno, "write to", stream.name_));
    return stream;
  }
  int descriptor = -1;
  // Opened as it is, a pipe would be waited for without looking at Ctrl+C.
  while ((descriptor = ::open(out.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) < 0) {
    const int problem = errno;
    struct stat info {};
    const bool has_no_reader = problem == ENXIO && ::stat(out.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
    if (!has_no_reader && problem != EINTR) return Unexpected(system_error(problem, "write to", out));
    NATSCOPE_CHECK(check(stop));
    std::this_thread::sleep_for(pause);
  }
  stream.descriptor_ = UniqueDescriptor(descriptor);
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) < 0)
    return Unexpected(system_error(errno, "write to", out));
  return stream;
}

Expected<void> OutputStream::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(descriptor_.get(), text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    // In the words, and with the code, of print_text.
    if (done < 0 && is_standard_output_ && errno == ENOSPC)
      return fail(ErrorCode::io_failure, "standard output cannot be written", "check where it is redirected to");
    if (done < 0) return Unexpected(system_error(errno, "write to", name_));
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace natscope
