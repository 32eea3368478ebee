// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/screen_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace natscope {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

/// East Asian wide and full-width characters, and pictures (Unicode's EastAsianWidth.txt, in broad strokes).
constexpr std::array wide{Range{0x1100, 0x115F},  Range{0x2E80, 0xA4CF},   Range{0xAC00, 0xD7A3},
                          Range{0xF900, 0xFAFF},  Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
                          Range{0xFFE0, 0xFFE6},  Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1FAFF},
                          Range{0x20000, 0x3FFFD}};
/// Marks that stand on the character before, joiners and variation selectors.
constexpr std::array marks{Range{0x300, 0x36F}, Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F}};

template <std::size_t size>
bool is_in(const std::array<Range, size>& ranges, char32_t character) {
  return std::ranges::any_of(ranges, [=](Range one) { return character >= one.first && character <= one.last; });
}

/// What stands next in a line: its bytes, and the columns that it takes when it begins in column `at`.
struct Glyph {
  std::size_t bytes = 1;
  int columns = 1;
  bool is_colour = false;
};

Glyph next_glyph(std::string_view text, int at) {
  const auto first = static_cast<unsigned char>(text.front());
  if (text.starts_with("\033[")) {
    const std::size_t end = text.find('m');
    return {end == std::string_view::npos ? text.size() : end + 1, 0, true};
  }
  if (first == '\t') return {1, 8 - at % 8};
  if (first < 0x80) return {};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  char32_t character = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size && i < text.size(); ++i)
    character = character << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
  return {std::min(size, text.size()), is_in(marks, character) ? 0 : is_in(wide, character) ? 2 : 1};
}

}  // namespace

int terminal_rows() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  return 24;
}

int screen_columns(std::string_view text, int begin) {
  int at = begin;
  while (!text.empty()) {
    const Glyph glyph = next_glyph(text, at);
    at += glyph.columns;
    text.remove_prefix(glyph.bytes);
  }
  return at - begin;
}

std::vector<std::string> as_column(std::vector<std::string> texts) {
  int widest = 0;
  for (const std::string& text : texts) widest = std::max(widest, screen_columns(text));
  for (std::string& text : texts) text.append(static_cast<std::size_t>(widest - screen_columns(text)), ' ');
  return texts;
}

std::string cut_to_columns(std::string_view text, int columns) {
  std::string cut;
  int at = 0;
  bool is_coloured = false;
  while (!text.empty()) {
    const Glyph glyph = next_glyph(text, at);
    if (at + glyph.columns > columns) {
      if (is_coloured) cut += "\033[0m";
      break;
    }
    if (glyph.is_colour) is_coloured = text.substr(0, glyph.bytes) != "\033[0m";
    at += glyph.columns;
    cut += text.substr(0, glyph.bytes);
    text.remove_prefix(glyph.bytes);
  }
  return cut;
}

}  // namespace natscope
