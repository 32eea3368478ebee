// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the parser would read a value otherwise than whoever typed it, or the script that made it, means it.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace natscope {

/// The words behind the program's name, with "--prompt=" as "--prompt" and an empty word: the parser would take the
/// next flag for the value, and a script's --prompt="$UNSET" --json would read the text "--json".
[[nodiscard]] std::vector<std::string> given_words(int argc, const char* const* argv);

/// Numbers of every flag below `root` are decimal: 010 is ten, where the parser reads C's eight, and 0x10 is refused.
/// No switch takes a value, where the parser reads --greedy=false as no --greedy. And a layer, head or position that is
/// too large for an int is one that no model or text has, not one that is written wrongly: `beyond`, which must outlive
/// the parsing, then holds the first such error (bad_layer, bad_head, bad_position).
void take_plain_values(CLI::App& root, std::optional<Error>& beyond);

}  // namespace natscope
