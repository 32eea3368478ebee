// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>
#include <utility>

namespace natscope {
namespace {

/// Unicode's White_Space.
bool is_blank(utf8proc_int32_t point) {
  if ((point >= 0x09 && point <= 0x0D) || point == 0x85) return true;
  const utf8proc_category_t category = utf8proc_category(point);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

std::size_t blank_length(std::string_view text) {
  if (text.empty()) return 0;
  utf8proc_int32_t point = 0;
  const utf8proc_ssize_t length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                                   static_cast<utf8proc_ssize_t>(text.size()), &point);
  return length > 0 && is_blank(point) ? static_cast<std::size_t>(length) : 0;
}

/// Where the blanks begin that `text` ends with.
std::size_t trailing_blanks(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0) {
    std::size_t character = begin - 1;
    while (character > 0 && (static_cast<unsigned char>(text[character]) & 0xC0U) == 0x80U) --character;
    if (blank_length(text.substr(character)) != begin - character) break;
    begin = character;
  }
  return begin;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.text < b.text; });
  const auto first_byte = [](const AddedToken& token) { return static_cast<unsigned char>(token.text.front()); };
  std::size_t place = 0;
  for (std::size_t byte = 0; byte < first_of_byte_.size(); ++byte) {
    while (place < tokens_.size() && first_byte(tokens_[place]) < byte) ++place;
    first_of_byte_[byte] = place;
  }
}

const AddedToken* AddedTokens::longest_at(std::string_view text) const {
  const std::size_t byte = static_cast<unsigned char>(text.front());
  auto begin = tokens_.begin() + static_cast<std::ptrdiff_t>(first_of_byte_[byte]);
  auto end = tokens_.begin() + static_cast<std::ptrdiff_t>(first_of_byte_[byte + 1]);
  const AddedToken* longest = nullptr;
  // All between begin and end agree with the text in their first `same` bytes; the shortest stand in front.
  for (std::size_t same = 1; begin != end; ++same) {
    if (begin->text.size() == same) longest = &*begin;
    while (begin != end && begin->text.size() == same) ++begin;
    if (same == text.size()) break;
    const auto at_same = [same](const AddedToken& token) { return static_cast<unsigned char>(token.text[same]); };
    const auto wanted = static_cast<unsigned char>(text[same]);
    begin = std::partition_point(begin, end, [&](const AddedToken& token) { return at_same(token) < wanted; });
    end = std::partition_point(begin, end, [&](const AddedToken& token) { return at_same(token) == wanted; });
  }
  return longest;
}

std::vector<TextPart> AddedTokens::find(std::string_view text) const {
  std::vector<TextPart> parts;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* const found = longest_at(text.substr(at));
    if (found == nullptr) {
      ++at;
      continue;
    }
    const AddedToken& token = *found;
    std::size_t begin = at;
    std::size_t end = at + token.text.size();
    // What was searched ends here: blanks that a token takes with it may still be, or begin, the next one.
    at = end;
    if (token.takes_blanks_before)
      begin = begin > done ? done + trailing_blanks(text.substr(done, begin - done)) : done;
    if (token.takes_blanks_behind) {
      while (const std::size_t length = blank_length(text.substr(end))) end += length;
    }
    if (end <= begin) continue;  // of blanks that the one before took
    if (begin > done) parts.push_back({text.substr(done, begin - done)});
    parts.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done)});
  return parts;
}

}  // namespace natscope
