// SPDX-License-Identifier: GPL-3.0-or-later
/// What a word that is not known may have been meant to be.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace natscope {

/// The one of `known` that is a slip away from `word`: up to a third of its letters left out, added, changed or turned
/// round with the next one; or the only one that begins with it. Dashes in front do not count.
[[nodiscard]] std::optional<std::string> nearest_word(std::string_view word, std::span<const std::string> known);

}  // namespace natscope
