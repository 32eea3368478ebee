// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/text_that_fits.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace natscope {
namespace {

constexpr std::size_t usual_bytes = 4;  // of a token
/// After so many guesses the middle is taken: texts are not everywhere alike.
constexpr int guesses = 8;
/// A character has no more bytes, and words that are cut elsewhere for what follows them have few tokens.
constexpr std::int64_t most_left_out = 8;

/// The last beginning of a character at or before it.
std::size_t whole_characters(std::string_view text, std::size_t bytes) {
  if (bytes >= text.size()) return text.size();
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80U) --bytes;
  return bytes;
}

/// Where the text's first `most` tokens end, or some fewer; nothing where they do not say which bytes they stand for.
Expected<std::optional<std::size_t>> end_of_tokens(const Tokenizer& tokenizer, std::string_view text,
                                                   std::int64_t most) {
  NATSCOPE_TRY(std::vector<std::int32_t> ids, tokenizer.encode_beginning(text, most + 1));
  if (static_cast<std::int64_t>(ids.size()) <= most) return std::optional(text.size());
  for (std::int64_t taken = most; taken > std::max<std::int64_t>(0, most - most_left_out); --taken) {
    ids.resize(static_cast<std::size_t>(taken));
    NATSCOPE_TRY(const std::string beginning, tokenizer.decode(ids));
    if (!text.starts_with(beginning)) continue;
    NATSCOPE_TRY(const auto alone, tokenizer.encode(beginning));
    if (alone == ids) return std::optional(beginning.size());
  }
  return std::optional<std::size_t>();
}

/// The bytes whose number of tokens comes nearest to `most`, by search.
Expected<std::size_t> searched_bytes(const Tokenizer& tokenizer, std::string_view text, std::int64_t most) {
  std::size_t fits = 0;
  std::int64_t tokens_fit = 0;
  std::size_t over = text.size() + 1;  // nothing is known to be too long
  std::int64_t tokens_over = -1;
  std::size_t next = whole_characters(text, std::min(text.size(), static_cast<std::size_t>(most) * usual_bytes));
  for (int tries = 0; next > fits && next < over; ++tries) {
    NATSCOPE_TRY(const auto ids, tokenizer.encode(text.substr(0, next)));
    const auto tokens = static_cast<std::int64_t>(ids.size());
    if (tokens <= most) {
      fits = next;
      tokens_fit = tokens;
      if (tokens == most || fits == text.size()) break;
    } else {
      over = next;
      tokens_over = tokens;
    }
    if (tokens_over < 0) {
      next = whole_characters(text, std::min(text.size(), 2 * fits));
      continue;
    }
    if (over - fits <= 1) break;
    const double share = tries < guesses ? static_cast<double>(most - tokens_fit) /
                                               static_cast<double>(std::max<std::int64_t>(1, tokens_over - tokens_fit))
                                         : 0.5;
    const auto step = static_cast<std::size_t>(std::lround(share * static_cast<double>(over - fits)));
    next = whole_characters(text, std::clamp(fits + step, fits + 1, over - 1));
    // A character of several bytes may stand where the step ends.
    for (std::size_t more = step + 1; next <= fits && fits + more < over; ++more)
      next = whole_characters(text, fits + more);
  }
  return fits;
}

}  // namespace

Expected<std::size_t> bytes_that_fit(const Tokenizer& tokenizer, std::string_view text, std::int64_t most) {
  if (most <= 0 || text.empty()) return std::size_t{0};
  NATSCOPE_TRY(const std::optional<std::size_t> end, end_of_tokens(tokenizer, text, most));
  if (end) return *end;
  return searched_bytes(tokenizer, text, most);
}

}  // namespace natscope
