// SPDX-License-Identifier: GPL-3.0-or-later
/// What the parser has to say of a command line, in this program's words.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace natscope {

/// One sentence without its full stop: `--threads takes a whole number from 0 to 1024, not "5000"`. `root` is the
/// parser that threw `problem`. What our own validators said, and what is not known here, stays as it is.
[[nodiscard]] std::string in_words(const CLI::ParseError& problem, const CLI::App& root);

/// The command that the command line got to: " jobs stop"; empty where none was named.
[[nodiscard]] std::string named_command(const CLI::App& root);

}  // namespace natscope
