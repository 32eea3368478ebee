// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/standard_input.h"

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>

#include "app/cli/terminal.h"
#include "core/base/mapped_file.h"
#include "core/base/system_error.h"

namespace natscope {
namespace {

Expected<std::string> read_to_end(std::istream& in, const std::string& name, std::uint64_t max_bytes) {
  std::string text;
  std::array<char, 65536> piece{};
  while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > max_bytes) {
      return fail(ErrorCode::file_too_large, name + " is over " + readable_bytes(static_cast<std::int64_t>(max_bytes)));
    }
  }
  return text;
}

}  // namespace

Expected<std::string> read_text_input(const std::string& file, std::uint64_t max_bytes) {
  if (file == "-") return read_to_end(std::cin, "standard input", max_bytes);
  std::error_code unknown;
  if (std::filesystem::status(file, unknown).type() != std::filesystem::file_type::fifo)
    return read_small_file(file, max_bytes);
  std::ifstream pipe(file, std::ios::binary);
  if (!pipe) return Unexpected(system_error(errno, "open", file));
  return read_to_end(pipe, printable(file), max_bytes);
}

}  // namespace natscope
