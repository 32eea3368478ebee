// SPDX-License-Identifier: GPL-3.0-or-later
/// Files of a job folder, read while another process writes them: a folder may come from a stranger, and grows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope::jobs {

/// A small file whole. A symbolic link is refused: a job folder must not make its reader open other files.
/// Errors: file_not_found, not_a_regular_file, file_too_large, io_failure.
[[nodiscard]] Expected<std::string> read_job_file(const std::filesystem::path& path, std::uint64_t max_bytes);

/// Whole new lines of a file that grows.
struct NewLines {
  std::vector<std::string> lines;  ///< without their line breaks
  bool restarted = false;          ///< the file was replaced or cut: what was read before no longer counts
  bool more = false;               ///< poll again at once: there is more than one poll reads
  std::uint64_t oversized = 0;     ///< lines longer than the limit, left out
};

/// Reads a growing file of lines from where it stopped the last time; a half line waits for its rest.
///
///     FollowedFile log(folder / "log.txt");
///     auto news = log.poll();                       // on a timer; reads at most poll_bytes
///
/// A file that is not there yet has no lines. Memory: one poll's bytes and one unfinished line. One thread.
class FollowedFile {
 public:
  static constexpr std::size_t poll_bytes = std::size_t{4} << 20;

  explicit FollowedFile(std::filesystem::path path, std::size_t max_line_bytes = std::size_t{4} << 20);

  /// Errors: not_a_regular_file, io_failure.
  [[nodiscard]] Expected<NewLines> poll();

  /// Begins `bytes` before the file's end, at the next line's start: for the tail of a long log. Call before poll().
  void begin_near_end(std::uint64_t bytes);
  /// Begins at that byte, which is a line's first one. Call before poll().
  void begin_at(std::uint64_t offset_bytes) { offset_ = offset_bytes; }

 private:
  void take(std::string_view bytes, NewLines& news);

  std::filesystem::path path_;
  std::size_t max_line_bytes_;
  std::uint64_t offset_ = 0;
  std::uint64_t file_ = 0;  // inode of what was read
  std::string unfinished_;
  bool skipping_ = false;    // inside a line that is left out
  bool skip_first_ = false;  // the first piece is the rest of a line that began before
  std::uint64_t tail_bytes_ = 0;
};

}  // namespace natscope::jobs
