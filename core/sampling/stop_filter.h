// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace natscope {

/// Finds stop strings in a text that comes piece by piece, also across pieces, and holds back what may become one.
///
///   StopFilter filter({"\n\n"});
///   show(filter.push("one\n"));   // "one": the line break may be half of the stop string
///   show(filter.push("two"));     // "\ntwo"
class StopFilter {
 public:
  /// Empty stop strings are left out.
  explicit StopFilter(std::vector<std::string> stop_strings);

  /// The text that is certain now. Once found() everything after the stop string's beginning is silent.
  [[nodiscard]] std::string push(std::string_view text);
  /// What was held back; nothing once found().
  [[nodiscard]] std::string finish();
  [[nodiscard]] bool found() const { return found_; }

 private:
  [[nodiscard]] std::size_t held_back() const;

  std::vector<std::string> stop_strings_;
  std::string pending_;
  bool found_ = false;
};

}  // namespace natscope
