// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <Qt>
#include <cstdint>
#include <optional>

namespace natscope::ui {

/// The token that a key goes to, from `token` (-1: none is chosen) of `tokens`; nothing for other keys and at the ends.
[[nodiscard]] constexpr std::optional<std::int64_t> tokenAfterKey(int key, std::int64_t token, std::int64_t tokens) {
  switch (key) {
    case Qt::Key_Left:
      token = token < 0 ? tokens - 1 : token - 1;
      break;
    case Qt::Key_Right:
      ++token;
      break;
    case Qt::Key_Home:
      token = 0;
      break;
    case Qt::Key_End:
      token = tokens - 1;
      break;
    default:
      return std::nullopt;
  }
  return token >= 0 && token < tokens ? std::optional(token) : std::nullopt;
}

}  // namespace natscope::ui
