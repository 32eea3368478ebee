// SPDX-License-Identifier: GPL-3.0-or-later
/// What --help prints: a command's words, its flags in two columns and one style, in lines of the screen's width.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <string_view>

#include "app/cli/words/command_words.h"

namespace natscope {

/// `text` in lines of at most `columns`, each behind `indent` blanks but the first, which begins at `begin`; its own
/// line breaks stay. A word that is longer than a line stays whole.
[[nodiscard]] std::string wrapped(std::string_view text, int columns, int indent, int begin);

/// One command's help. `all`: every command of the program, for the list of those below this one.
[[nodiscard]] std::string help_text(const CommandWords& command, const std::vector<CommandWords>& all, int columns);

/// Gives `root`, and the commands that are added from then on, this help.
void use_own_help(CLI::App& root);

}  // namespace natscope
