// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "app/cli/terminal/screen_text.h"
#include "core/base/grouped_digits.h"

namespace natscope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto show_after = std::chrono::milliseconds(300);
constexpr auto redraw_every = std::chrono::milliseconds(100);
constexpr int bar_cells = 28;

bool is_terminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return isatty(descriptor) == 1 && !(term != nullptr && std::strcmp(term, "dumb") == 0);
}

std::string readable_seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%lld:%02lld", static_cast<long long>(whole / 60),
                static_cast<long long>(whole % 60));
  return text.data();
}

/// "  3.2/s  left 1:07"; nothing before the first piece is done, because then nothing is known.
std::string speed_text(std::int64_t done, double share, double seconds) {
  if (done <= 0 || share <= 0 || seconds <= 0) return {};
  const double rate = static_cast<double>(done) / seconds;
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "  %.*f/s", rate < 10 ? 1 : 0, rate);
  return text.data() + ("  left " + readable_seconds(seconds * (1 - share) / share));
}

}  // namespace

bool stdout_is_terminal() { return is_terminal(STDOUT_FILENO); }
bool stderr_is_terminal() { return is_terminal(STDERR_FILENO); }

bool stderr_has_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return stderr_is_terminal() && (no_colour == nullptr || *no_colour == '\0');
}

int terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

ProgressBar::ProgressBar(std::string label, std::string unit)
    : label_(std::move(label)), unit_(std::move(unit)), begun_(Clock::now()) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::update(std::int64_t done, std::int64_t total) {
  if (total <= 0 || !stderr_is_terminal()) return;
  const auto now = Clock::now();
  if (now - begun_ < show_after || (visible_ && now - drawn_ < redraw_every && done < total)) return;
  drawn_ = now;
  visible_ = true;

  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  const int filled = static_cast<int>(share * bar_cells);
  std::string bar;
  for (int cell = 0; cell < bar_cells; ++cell) bar += cell < filled ? "█" : "░";
  std::array<char, 16> percent{};
  std::snprintf(percent.data(), percent.size(), " %3.0f %%  ", 100 * share);
  const std::string line = label_ + " " + bar + percent.data() + grouped_digits(done) + "/" + grouped_digits(total) +
                           " " + unit_ + speed_text(done, share, seconds);
  // A line that wraps cannot be drawn over.
  std::fprintf(stderr, "\r\033[K%s", cut_to_columns(line, terminal_columns() - 1).c_str());
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!visible_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  visible_ = false;
}

std::string without_controls(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 … U+009F: some terminals obey them, too
      shown += "\uFFFD";
      ++i;
    } else if (byte == 0x7F) {
      shown += "\u2421";
    } else if (byte < 0x20 && byte != '\n' && byte != '\t') {
      shown += {'\xE2', '\x90', static_cast<char>(0x80 + byte)};  // U+2400 and on: the pictures of these characters
    } else {
      shown += text[i];
    }
  }
  return shown;
}

std::string readable_bytes(std::int64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

}  // namespace natscope
