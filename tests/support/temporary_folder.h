// SPDX-License-Identifier: GPL-3.0-or-later
/// A folder for one test, removed with everything in it at the end of the scope.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace natscope::test {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  /// The same as text, for command lines.
  [[nodiscard]] std::string file(std::string_view name) const { return (path_ / name).string(); }

  /// Names in the folder, hidden ones included, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::filesystem::path path_;
};

/// Plain writing and reading, without the code under test. Both throw when they fail.
void write_bytes(const std::filesystem::path& path, std::string_view bytes);
[[nodiscard]] std::string read_bytes(const std::filesystem::path& path);

/// Sets a file's time ten seconds back: two files written one after the other may bear the same time, since a file
/// system's clock goes in steps of milliseconds.
void make_older(const std::filesystem::path& path);

}  // namespace natscope::test
