// SPDX-License-Identifier: GPL-3.0-or-later
/// What a terminal may be shown: colour, progress, a table that is redrawn in place. Always on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace natscope {

/// Whether a stream is a terminal that can move its cursor (isatty, TERM not dumb).
[[nodiscard]] bool stdout_is_terminal();
[[nodiscard]] bool stderr_is_terminal();

/// Colour only on a terminal, and not with NO_COLOR set (https://no-color.org).
[[nodiscard]] bool stderr_has_colour();

/// Columns of the terminal behind stderr, 80 where it does not say.
[[nodiscard]] int terminal_columns();

/// A progress bar on one line of stderr, for long work. Silent when stderr is no terminal.
///   ProgressBar bar("prefill", "tokens"); bar.update(done, total); … the destructor clears the line.
class ProgressBar {
 public:
  ProgressBar(std::string label, std::string unit);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(std::int64_t done, std::int64_t total);
  void clear();

 private:
  std::string label_;
  std::string unit_;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point drawn_{};
  bool visible_ = false;
};

/// Text of a model as a terminal may show it: control characters but line break and tab become symbols that are seen
/// (␛), so that no text can move the cursor, change colours or talk to the terminal. `text` is UTF-8.
[[nodiscard]] std::string without_controls(std::string_view text);

/// 1536 → "1.5 KiB".
[[nodiscard]] std::string readable_bytes(std::int64_t bytes);

}  // namespace natscope
