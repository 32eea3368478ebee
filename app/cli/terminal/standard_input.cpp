// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/standard_input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "app/cli/terminal/terminal.h"
#include "core/base/small_file.h"
#include "core/base/system_error.h"

namespace natscope {

Expected<TextInput> TextInput::open(const std::string& file, std::uint64_t max_bytes) {
  TextInput input;
  input.max_bytes_ = max_bytes;
  input.name_ = file == "-" ? "standard input" : printable(file);
  if (file == "-") {
    input.descriptor_ = STDIN_FILENO;
    return input;
  }
  std::error_code unknown;
  if (std::filesystem::status(file, unknown).type() != std::filesystem::file_type::fifo) {
    NATSCOPE_TRY(input.text_, read_small_file(file, max_bytes));
    return input;
  }
  input.pipe_ = UniqueDescriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!input.pipe_.is_open()) return Unexpected(system_error(errno, "open", file));
  input.descriptor_ = input.pipe_.get();
  return input;
}

Expected<void> TextInput::read(std::size_t bytes) {
  std::array<char, 65536> piece{};
  while (descriptor_ >= 0 && text_.size() < bytes) {
    const ssize_t got = ::read(descriptor_, piece.data(), piece.size());
    if (got == 0) {
      descriptor_ = -1;
      return {};
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      // Whoever shares it made it so that nobody waits for it.
      pollfd ready{descriptor_, POLLIN, 0};
      ::poll(&ready, 1, -1);
      continue;
    }
    if (got < 0) return Unexpected(system_error(errno, "read", name_));
    text_.append(piece.data(), static_cast<std::size_t>(got));
    if (text_.size() > max_bytes_) {
      return fail(ErrorCode::file_too_large,
                  name_ + " is over " + readable_bytes(static_cast<std::int64_t>(max_bytes_)));
    }
  }
  return {};
}

Expected<std::string> read_text_input(const std::string& file, std::uint64_t max_bytes) {
  NATSCOPE_TRY(TextInput input, TextInput::open(file, max_bytes));
  NATSCOPE_CHECK(input.read(SIZE_MAX));
  return input.take();
}

}  // namespace natscope
