// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/standard_input.h"

#include <array>
#include <iostream>

#include "app/cli/terminal.h"

namespace natscope {

Expected<std::string> read_standard_input(std::uint64_t max_bytes) {
  std::string text;
  std::array<char, 65536> piece{};
  while (std::cin.read(piece.data(), piece.size()) || std::cin.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > max_bytes) {
      return fail(ErrorCode::file_too_large,
                  "standard input is over " + readable_bytes(static_cast<std::int64_t>(max_bytes)));
    }
  }
  return text;
}

}  // namespace natscope
