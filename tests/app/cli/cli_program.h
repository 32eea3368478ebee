// SPDX-License-Identifier: GPL-3.0-or-later
/// natscope-cli under test, on the bundled demo model unless a test says otherwise.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/run_program.h"

namespace natscope::test {

/// Runs the command line with these arguments.
[[nodiscard]] ProgramResult cli(std::vector<std::string> arguments, const ProgramOptions& options = {});

/// The same with --json; fails the test when it does not succeed with exactly one JSON value on stdout.
[[nodiscard]] nlohmann::json cli_json(std::vector<std::string> arguments);

/// A folder for one test, removed with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Names of everything in it, sorted: to see that a failed command left nothing.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::filesystem::path path_;
};

[[nodiscard]] std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);

}  // namespace natscope::test
