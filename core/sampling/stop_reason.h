// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace natscope {

/// Why a generated text ended.
enum class StopReason : std::uint8_t { end_of_text, max_new_tokens, context_full, stop_string, interrupted };

/// As `generate --json` spells them, in the enumeration's order.
inline constexpr std::array<const char*, 5> stop_reason_names{"end_of_text", "max_new_tokens", "context_full",
                                                              "stop_string", "interrupted"};

[[nodiscard]] constexpr const char* name(StopReason reason) {
  return stop_reason_names[static_cast<std::size_t>(reason)];
}

}  // namespace natscope
