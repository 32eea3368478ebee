// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sampling/stop_filter.h"

#include <algorithm>
#include <utility>

namespace natscope {

StopFilter::StopFilter(std::vector<std::string> stop_strings) : stop_strings_(std::move(stop_strings)) {
  std::erase_if(stop_strings_, [](const std::string& text) { return text.empty(); });
}

std::string StopFilter::push(std::string_view text) {
  if (found_) return {};
  pending_ += text;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stop_strings_) first = std::min(first, pending_.find(stop));
  found_ = first != std::string::npos;
  std::string certain = pending_.substr(0, found_ ? first : pending_.size() - held_back());
  pending_.erase(0, found_ ? pending_.size() : certain.size());
  return certain;
}

std::string StopFilter::finish() { return std::exchange(pending_, {}); }

/// The longest end of the text that a stop string begins with.
std::size_t StopFilter::held_back() const {
  std::size_t longest = 0;
  for (const std::string& stop : stop_strings_) {
    for (std::size_t length = std::min(stop.size() - 1, pending_.size()); length > longest; --length) {
      if (pending_.ends_with(std::string_view(stop).substr(0, length))) longest = length;
    }
  }
  return longest;
}

}  // namespace natscope
