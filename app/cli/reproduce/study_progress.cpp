// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/reproduce/study_progress.h"

#include <array>
#include <cstdio>

namespace natscope {
namespace {

std::string duration(double seconds) {
  std::array<char, 32> text{};
  if (seconds < 5400)
    std::snprintf(text.data(), text.size(), "%.0f min", seconds / 60);
  else
    std::snprintf(text.data(), text.size(), "%.1f h", seconds / 3600);
  return text.data();
}

}  // namespace

reproduce::StudyListener StudyProgress::listener() {
  reproduce::StudyListener listener;
  listener.begun = [this](const std::string& key, std::size_t done, std::size_t all) {
    std::string line = "run " + std::to_string(done + 1) + " of " + std::to_string(all) + ": " + key;
    if (finished_ > 0) {
      const double each = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count() / finished_;
      line += ", about " + duration(each * static_cast<double>(all - done)) + " to go";
    }
    say(line);
    ++finished_;
  };
  listener.step = steps_.listener().step;
  listener.scored = [this](const reproduce::StudyRow& row) {
    std::array<char, 200> text{};
    std::snprintf(text.data(), text.size(), "  %-24s perplexity %.3f, KV %.2f %%", row.policy.c_str(), row.perplexity,
                  100 * row.kv_fraction);
    std::string line = text.data();
    if (const auto accuracy = row.accuracy()) {
      std::snprintf(text.data(), text.size(), ", answers right %.1f %%", 100 * *accuracy);
      line += text.data();
    }
    say(line);
  };
  return listener;
}

void StudyProgress::say(const std::string& text) {
  steps_.end();
  std::fprintf(stderr, "%s\n", printable(text, 1000).c_str());
}

}  // namespace natscope
