// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/live_table.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "app/cli/terminal.h"

namespace natscope {
namespace {

constexpr long long redraw_ms = 100;
constexpr int min_bar = 8;
constexpr int max_bar = 40;

long long now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string percent(double share) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%5.1f %%", 100 * share);
  return text.data();
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

std::string bar(double share, int cells) {
  const int filled = std::clamp(static_cast<int>(share * cells + 0.5), 0, cells);
  std::string text;
  for (int cell = 0; cell < cells; ++cell) text += cell < filled ? "█" : "·";
  return text;
}

double layer_fraction(const SequenceRecord& record, std::int32_t layer) {
  const auto& geometry = record.geometry();
  const TokenFrame& last = record.frames().back();
  std::int64_t held = 0;
  for (std::int32_t head = 0; head < geometry.kv_heads; ++head) {
    held += last.entries[static_cast<std::size_t>(layer * geometry.kv_heads + head)];
  }
  return static_cast<double>(held) / static_cast<double>(record.size() * geometry.kv_heads);
}

std::array<double, role_count> role_shares(const SequenceRecord& record) {
  std::array<double, role_count> counts{};
  double all = 0;
  for (const TokenFrame& frame : record.frames()) {
    for (const Role role : frame.roles) {
      counts[static_cast<std::size_t>(role)] += 1;
      all += 1;
    }
  }
  for (double& count : counts) count /= std::max(all, 1.0);
  return counts;
}

/// Characters on screen, for Latin text: bytes that begin a character.
int screen_columns(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

}  // namespace

std::string accounting_table(const SequenceRecord& record, bool colour, int columns) {
  if (record.size() == 0) return {};
  const CacheCounts& counts = record.frames().back().counts;
  const char* const strong = colour ? "\033[1m" : "";
  const char* const faint = colour ? "\033[2m" : "";
  const char* const plain = colour ? "\033[0m" : "";
  const auto share = [&counts](std::int64_t bytes) {
    return counts.dense_bytes == 0 ? 0.0 : static_cast<double>(bytes) / static_cast<double>(counts.dense_bytes);
  };
  const auto row = [&](const char* label, std::int64_t bytes, const char* meaning) {
    return std::string(label) + padded(with_separators(bytes), 16) + " B " + padded(percent(share(bytes)), 9) + "  " +
           faint + meaning + plain + "\n";
  };
  std::string text =
      std::string(strong) + "KV cache after " + with_separators(counts.tokens) + " tokens" + plain + "\n";
  text += row("dense    ", counts.dense_bytes, "what full attention would hold");
  text += row("live     ", counts.live_bytes, "what the roles keep");
  text += row("allocated", counts.allocated_bytes, "live, rounded up to pages");

  const auto roles = role_shares(record);
  text += "roles     G" + percent(roles[0]) + "  L" + percent(roles[1]) + "  S" + percent(roles[2]) +
          "   paper's KV fraction" + percent(counts.paper_fraction) + "\n";
  const int cells = std::clamp(columns - 24, min_bar, max_bar);
  for (std::int32_t layer = 0; layer < record.geometry().layers; ++layer) {
    const double fraction = layer_fraction(record, layer);
    text += "layer " + padded(std::to_string(layer), 3) + " " + bar(fraction, cells) + percent(fraction) + "\n";
  }
  return text;
}

LiveTable::LiveTable(bool wanted)
    : wanted_(wanted), in_place_(wanted && stdout_is_terminal() && stderr_is_terminal()) {}

void LiveTable::erase() {
  if (lines_ == 0) return;
  // Back to the end of the text: up over the table and the blank line above it.
  std::printf("\r\033[%dA\033[J\033[%dA", lines_ + 1, 1);
  if (text_column_ > 0) std::printf("\033[%dC", text_column_);
  lines_ = 0;
}

void LiveTable::draw(const SequenceRecord& record) {
  const std::string table = accounting_table(record, stderr_has_colour(), terminal_columns());
  std::printf("\n\n%s", table.c_str());
  lines_ = static_cast<int>(std::count(table.begin(), table.end(), '\n'));
  std::fflush(stdout);
}

void LiveTable::print_pending() {
  if (stdout_is_terminal()) pending_ = without_controls(pending_);
  std::fwrite(pending_.data(), 1, pending_.size(), stdout);
  if (const auto line_break = pending_.rfind('\n'); line_break != std::string::npos) {
    text_column_ = screen_columns(std::string_view(pending_).substr(line_break + 1));
  } else {
    text_column_ += screen_columns(pending_);
  }
  text_column_ %= std::max(terminal_columns(), 1);
  pending_.clear();
}

void LiveTable::show(std::string_view text, const SequenceRecord& record) {
  pending_ += text;
  if (in_place_) {
    // Text waits for the next redraw: printing it at once would make the table flicker with every token.
    if (now_ms() - drawn_ms_ < redraw_ms) return;
    erase();
    print_pending();
    draw(record);
    drawn_ms_ = now_ms();
    return;
  }
  print_pending();
  std::fflush(stdout);
}

void LiveTable::finish(const SequenceRecord& record) {
  erase();
  print_pending();
  std::fputs("\n", stdout);
  std::fflush(stdout);
  if (wanted_) std::fprintf(stderr, "\n%s", accounting_table(record, stderr_has_colour(), terminal_columns()).c_str());
}

// The stream remembers that a write failed, whenever it was.
Expected<void> LiveTable::written() const {
  if (std::ferror(stdout) == 0) return {};
  return fail(ErrorCode::io_failure, "standard output cannot be written", "check where it is redirected to");
}

}  // namespace natscope
