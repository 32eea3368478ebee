// SPDX-License-Identifier: GPL-3.0-or-later
/// What tests of `export` share: one text, and a command that exports it.
#pragma once

#include <string>
#include <vector>

#include "tests/app/cli/cli_program.h"

namespace natscope::test {

inline const std::vector<std::string> prompt{"--prompt", "The lamp went out, and the room was quiet."};

inline ProgramResult export_to(const std::string& file, std::vector<std::string> more) {
  more.insert(more.begin(), {"export", "--out", file});
  more.insert(more.end(), prompt.begin(), prompt.end());
  return cli(more);
}

/// Whether the build that was run draws figures.
inline bool draws(const ProgramResult& result) { return result.err.find("without Qt") == std::string::npos; }

}  // namespace natscope::test
