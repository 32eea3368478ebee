// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/live_table.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "app/cli/terminal/screen_text.h"
#include "app/cli/terminal/terminal.h"
#include "core/base/grouped_digits.h"
#include "core/cache/policy.h"

namespace natscope {
namespace {

constexpr long long redraw_ms = 100;
constexpr int min_bar = 8;
constexpr int max_bar = 40;
/// The text's last row, a blank one, and the one where the cursor stands: what scrolls away cannot be drawn over.
constexpr int rows_around_table = 3;

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
  std::array<double, role_count> shares{};
  const CacheGeometry& geometry = record.geometry();
  for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
    for (std::int32_t head = 0; head < geometry.kv_heads; ++head) {
      const HeadTally& tally = record.tally(LayerId(layer), KvHeadId(head));
      for (std::size_t role = 0; role < shares.size(); ++role)
        shares[role] += static_cast<double>(tally.role_tokens[role]);
    }
  }
  const double all = static_cast<double>(record.size()) * geometry.layers * geometry.kv_heads;
  for (double& share : shares) share /= std::max(all, 1.0);
  return shares;
}

}  // namespace

std::string accounting_table(const SequenceRecord& record, std::string_view policy, bool colour, int columns) {
  if (record.size() == 0) return {};
  const CacheCounts& counts = record.frames().back().counts;
  const char* const strong = colour ? "\033[1m" : "";
  const char* const faint = colour ? "\033[2m" : "";
  const char* const plain = colour ? "\033[0m" : "";
  const auto share = [&counts](std::int64_t bytes) {
    return counts.dense_bytes == 0 ? 0.0 : static_cast<double>(bytes) / static_cast<double>(counts.dense_bytes);
  };
  const auto row = [&](const char* label, std::int64_t bytes, const char* meaning) {
    return std::string(label) + padded(grouped_digits(bytes), 16) + " B " + padded(percent(share(bytes)), 9) + "  " +
           faint + meaning + plain + "\n";
  };
  std::string text = std::string(strong) + "KV cache after " + grouped_digits(counts.tokens) + " tokens" + plain + "\n";
  text += row("dense    ", counts.dense_bytes, "what full attention would hold");
  text += row("live     ", counts.live_bytes,
              has_roles(policy) ? "what the roles keep" : ("what " + method_name(policy) + " keeps").c_str());
  text += row("allocated", counts.allocated_bytes, "live, rounded up to pages");

  if (has_roles(policy)) {
    const auto roles = role_shares(record);
    text += "roles     G " + percent(roles[0]) + "   L " + percent(roles[1]) + "   S " + percent(roles[2]) + "\n";
  }
  text += "paper's KV fraction " + percent(counts.paper_fraction) + "\n";
  const int cells = std::clamp(columns - 24, min_bar, max_bar);
  for (std::int32_t layer = 0; layer < record.geometry().layers; ++layer) {
    const double fraction = layer_fraction(record, layer);
    text += "layer " + padded(std::to_string(layer), 3) + " " + bar(fraction, cells) + " " + percent(fraction) + "\n";
  }
  return text;
}

std::vector<std::string> lines_on_screen(std::string_view table, int columns, int rows) {
  std::vector<std::string> lines;
  while (!table.empty()) {
    const std::size_t end = table.find('\n');
    lines.push_back(cut_to_columns(table.substr(0, end), columns - 1));
    table.remove_prefix(std::min(end + 1, table.size()));
  }
  const auto most = static_cast<std::size_t>(std::max(1, rows - rows_around_table));
  if (lines.size() <= most) return lines;
  const std::size_t hidden = lines.size() - most + 1;
  lines.resize(most);
  lines.back() = cut_to_columns("… " + std::to_string(hidden) + " more lines at the end", columns - 1);
  return lines;
}

namespace {

/// Columns of the text's last line, `begin` before it; however often that wraps.
int last_line_columns(std::string_view text, int begin) {
  const auto line_break = text.rfind('\n');
  return line_break == std::string_view::npos ? begin + screen_columns(text, begin)
                                              : screen_columns(text.substr(line_break + 1));
}

}  // namespace

std::size_t bytes_before_full_row(std::string_view text, int begin, int columns) {
  const auto fills_row = [&] {
    const int used = last_line_columns(text, begin);
    return used > 0 && used % columns == 0;
  };
  while (columns > 1 && !text.empty() && fills_row()) {
    while (text.size() > 1 && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.remove_suffix(1);
    text.remove_suffix(1);
  }
  return text.size();
}

LiveTable::LiveTable(bool wanted, std::string policy)
    : wanted_(wanted), policy_(std::move(policy)), in_place_(wanted && stdout_is_terminal() && stderr_is_terminal()) {}

void LiveTable::erase() {
  if (line_columns_.empty()) return;
  // Where the terminal has become narrower since, it has wrapped what was drawn.
  const int columns = std::max(terminal_columns(), 1);
  int rows = 0;
  for (const int line : line_columns_) rows += std::max(1, (line + columns - 1) / columns);
  // Back to the end of the text: up over the table and the blank line above it.
  std::printf("\r\033[%dA\033[J\033[%dA", rows + 1, 1);
  if (text_columns_ % columns > 0) std::printf("\033[%dC", text_columns_ % columns);
  line_columns_.clear();
}

void LiveTable::draw(const SequenceRecord& record) {
  const int columns = std::max(terminal_columns(), 1);
  // A row that became full because the terminal became narrower: the text goes on in the next one.
  if (text_columns_ > 0 && text_columns_ % columns == 0) std::fputs("\n", stdout);
  std::fputs("\n\n", stdout);
  const std::string table = accounting_table(record, policy_, stderr_has_colour(), columns);
  for (const std::string& line : lines_on_screen(table, columns, terminal_rows())) {
    std::printf("%s\n", line.c_str());
    line_columns_.push_back(screen_columns(line));
  }
  std::fflush(stdout);
}

void LiveTable::print_pending(std::size_t bytes) {
  std::fwrite(pending_.data(), 1, bytes, stdout);
  text_columns_ = last_line_columns(std::string_view(pending_).substr(0, bytes), text_columns_);
  pending_.erase(0, bytes);
}

void LiveTable::show(std::string_view text, const SequenceRecord& record) {
  pending_ += stdout_is_terminal() ? without_controls(text) : std::string(text);
  if (in_place_) {
    // Text waits for the next redraw: printing it at once would make the table flicker with every token.
    if (now_ms() - drawn_ms_ < redraw_ms) return;
    erase();
    print_pending(bytes_before_full_row(pending_, text_columns_, std::max(terminal_columns(), 1)));
    draw(record);
    drawn_ms_ = now_ms();
    return;
  }
  print_pending(pending_.size());
  std::fflush(stdout);
}

void LiveTable::finish(const SequenceRecord& record) {
  erase();
  print_pending(pending_.size());
  std::fputs("\n", stdout);
  std::fflush(stdout);
  text_columns_ = 0;
  conclude(record);
}

void LiveTable::conclude(const SequenceRecord& record) const {
  if (wanted_)
    std::fprintf(stderr, "\n%s", accounting_table(record, policy_, stderr_has_colour(), terminal_columns()).c_str());
}

// The stream remembers that a write failed, whenever it was.
Expected<void> LiveTable::written() const {
  if (std::ferror(stdout) == 0) return {};
  return fail(ErrorCode::io_failure, "standard output cannot be written", "check where it is redirected to");
}

}  // namespace natscope
