// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace natscope {

/// `text` with every `from`, which is not empty, replaced by `to`, from the left. One pass, however long the text is.
[[nodiscard]] std::string replaced_text(std::string_view text, std::string_view from, std::string_view to);

}  // namespace natscope
