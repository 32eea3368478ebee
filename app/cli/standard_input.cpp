// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/standard_input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "app/cli/terminal.h"
#include "core/base/mapped_file.h"
#include "core/base/system_error.h"
#include "core/base/unique_descriptor.h"

namespace natscope {
namespace {

Expected<std::string> read_to_end(int descriptor, const std::string& name, std::uint64_t max_bytes) {
  std::string text;
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t got = ::read(descriptor, piece.data(), piece.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      // Whoever shares it made it so that nobody waits for it.
      pollfd ready{descriptor, POLLIN, 0};
      ::poll(&ready, 1, -1);
      continue;
    }
    if (got < 0) return Unexpected(system_error(errno, "read", name));
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > max_bytes) {
      return fail(ErrorCode::file_too_large, name + " is over " + readable_bytes(static_cast<std::int64_t>(max_bytes)));
    }
  }
}

}  // namespace

Expected<std::string> read_text_input(const std::string& file, std::uint64_t max_bytes) {
  if (file == "-") return read_to_end(STDIN_FILENO, "standard input", max_bytes);
  std::error_code unknown;
  if (std::filesystem::status(file, unknown).type() != std::filesystem::file_type::fifo)
    return read_small_file(file, max_bytes);
  const UniqueDescriptor pipe(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!pipe.is_open()) return Unexpected(system_error(errno, "open", file));
  return read_to_end(pipe.get(), printable(file), max_bytes);
}

}  // namespace natscope
