// SPDX-License-Identifier: GPL-3.0-or-later
/// natscope-cli under test, on the bundled demo model unless a test says otherwise.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/run_program.h"
#include "tests/support/temporary_folder.h"

namespace natscope::test {

/// Runs the command line with these arguments.
[[nodiscard]] ProgramResult cli(std::vector<std::string> arguments, const ProgramOptions& options = {});

/// The same with --json; fails the test when it does not succeed with exactly one JSON value on stdout.
[[nodiscard]] nlohmann::json cli_json(std::vector<std::string> arguments);

/// The demo with a chat template: a line "ROLE: TEXT" for each message, and "answer:" behind them.
void make_chat_demo(const TemporaryFolder& folder);

[[nodiscard]] std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);

}  // namespace natscope::test
