// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/text.h"

#include <string.h>  // memmem
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "core/chat/jinja/value.h"

namespace natscope::jinja {
namespace {

/// str.isspace of one character.
bool is_space(std::string_view character) {
  utf8proc_int32_t code = 0;
  const auto* const bytes = reinterpret_cast<const utf8proc_uint8_t*>(character.data());
  if (utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(character.size()), &code) <= 0) return false;
  const utf8proc_property_t* const property = utf8proc_get_property(code);
  return property->category == UTF8PROC_CATEGORY_ZS || property->bidi_class == UTF8PROC_BIDI_CLASS_WS ||
         property->bidi_class == UTF8PROC_BIDI_CLASS_B || property->bidi_class == UTF8PROC_BIDI_CLASS_S;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::vector<std::string_view> split_at_white_space(std::string_view text, std::int64_t times, bool from_the_right) {
  std::vector<std::string_view> parts;
  const Sides outer = from_the_right ? Sides::right : Sides::left;
  text = stripped(text, {}, outer);
  while (!text.empty()) {
    if (times >= 0 && static_cast<std::int64_t>(parts.size()) == times) {
      parts.push_back(text);
      break;
    }
    std::string_view word;
    if (from_the_right) {
      std::size_t begin = text.size();
      while (begin > 0) {
        const std::string_view character = last_character(text.substr(0, begin));
        if (is_space(character)) break;
        begin -= character.size();
      }
      word = text.substr(begin);
      text = stripped(text.substr(0, begin), {}, outer);
    } else {
      std::size_t end = 0;
      while (end < text.size()) {
        const std::string_view character = first_character(text.substr(end));
        if (is_space(character)) break;
        end += character.size();
      }
      word = text.substr(0, end);
      text = stripped(text.substr(end), {}, outer);
    }
    parts.push_back(word);
  }
  if (from_the_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

std::string_view stripped(std::string_view text, std::optional<std::string_view> characters, Sides sides) {
  std::vector<std::string_view> set;
  if (characters) set = characters_of(*characters);
  std::ranges::sort(set);
  const auto goes = [&](std::string_view character) {
    return characters ? std::ranges::binary_search(set, character) : is_space(character);
  };
  if (sides != Sides::right) {
    while (!text.empty()) {
      const std::string_view first = first_character(text);
      if (!goes(first)) break;
      text.remove_prefix(first.size());
    }
  }
  if (sides != Sides::left) {
    while (!text.empty()) {
      const std::string_view last = last_character(text);
      if (!goes(last)) break;
      text.remove_suffix(last.size());
    }
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, std::optional<std::string_view> separator,
                                    std::int64_t times, bool from_the_right) {
  if (!separator) return split_at_white_space(text, times, from_the_right);
  std::vector<std::string_view> parts;
  while (times < 0 || static_cast<std::int64_t>(parts.size()) < times) {
    const std::size_t at = from_the_right ? text.rfind(*separator) : find_text(text, *separator);
    if (at == std::string_view::npos) break;
    const std::string_view before = text.substr(0, at);
    const std::string_view after = text.substr(at + separator->size());
    parts.push_back(from_the_right ? after : before);
    text = from_the_right ? before : after;
  }
  parts.push_back(text);
  if (from_the_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::size_t find_text(std::string_view text, std::string_view part) {
  const void* const found = ::memmem(text.data(), text.size(), part.data(), part.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

Expected<std::string> replaced(std::string_view text, std::string_view from, std::string_view to, std::int64_t times) {
  std::string out;
  for (std::int64_t done = 0; times < 0 || done < times; ++done) {
    const std::size_t at = find_text(text, from);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
    if (static_cast<std::int64_t>(out.size()) > most_text_bytes)
      return fail(ErrorCode::bad_tokenizer, "replace makes too long a text");
  }
  return out.append(text);
}

Expected<std::string> in_case(std::string_view text, LetterCase letters) {
  std::string out(text);
  bool in_word = false;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) >= 0x80)
      return fail(ErrorCode::unsupported_tokenizer, "upper and lower case of letters beyond ASCII");
    const bool is_first = letters == LetterCase::title ? !in_word : &c == out.data();
    in_word = is_letter(c);
    const bool is_upper = letters == LetterCase::upper || (letters != LetterCase::lower && is_first);
    c = is_upper ? upper(c) : lower(c);
  }
  return out;
}

bool append_character(std::string& text, std::uint32_t code) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  if (code > 0x10FFFF || !utf8proc_codepoint_valid(static_cast<utf8proc_int32_t>(code))) return false;
  const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
  return length > 0;
}

}  // namespace natscope::jinja
