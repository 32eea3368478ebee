// SPDX-License-Identifier: GPL-3.0-or-later
/// What the parser has to say of a command line, in this program's words.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "core/base/error.h"

namespace natscope {

/// What is wrong in one sentence, as `--threads takes a whole number from 0 to 1024, not "5000"`, and where to read
/// more, with the flag or command that an unknown one may have been meant to be. `root` is the parser that threw
/// `problem`. What our own validators said, and what is not known here, stays as it is.
[[nodiscard]] Error usage_error(const CLI::ParseError& problem, const CLI::App& root);

/// "see natscope-cli jobs stop --help", of the command that the command line got to.
[[nodiscard]] std::string help_hint(const CLI::App& root);

/// The command that the command line got to: " jobs stop"; empty where none was named.
[[nodiscard]] std::string named_command(const CLI::App& root);

}  // namespace natscope
