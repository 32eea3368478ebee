// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/huggingface/added_tokens.h"

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
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    by_first_byte_[static_cast<unsigned char>(tokens_[i].text.front())].push_back(i);
  for (auto& bucket : by_first_byte_) {
    std::stable_sort(bucket.begin(), bucket.end(),
                     [this](std::size_t a, std::size_t b) { return tokens_[a].text.size() > tokens_[b].text.size(); });
  }
}

std::vector<TextPart> AddedTokens::find(std::string_view text) const {
  std::vector<TextPart> parts;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto& bucket = by_first_byte_[static_cast<unsigned char>(text[at])];
    const auto found = std::find_if(bucket.begin(), bucket.end(),
                                    [&](std::size_t i) { return text.substr(at).starts_with(tokens_[i].text); });
    if (found == bucket.end()) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[*found];
    std::size_t begin = at;
    std::size_t end = at + token.text.size();
    if (token.takes_blanks_before) begin = done + trailing_blanks(text.substr(done, at - done));
    if (token.takes_blanks_behind) {
      while (const std::size_t length = blank_length(text.substr(end))) end += length;
    }
    if (begin > done) parts.push_back({text.substr(done, begin - done)});
    parts.push_back({text.substr(begin, end - begin), token.id});
    done = at = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done)});
  return parts;
}

}  // namespace natscope
