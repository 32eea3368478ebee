// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

namespace natscope {

/// Prints `note: …` on stderr: what a reader of the result has to know, and is no error.
void print_note(std::string_view text);

}  // namespace natscope
