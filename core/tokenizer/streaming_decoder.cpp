// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/streaming_decoder.h"

#include <algorithm>
#include <iterator>

#include "core/base/utf8.h"

namespace natscope {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

/// Moves out of `bytes` the characters that are certain. What can belong to none becomes U+FFFD: each byte, as
/// sentencepiece does it, or with `in_parts` each part of a character, as Hugging Face's tokenizers do. With `is_end`
/// nothing stays behind.
std::string take_characters(std::string& bytes, bool is_end, bool in_parts) {
  std::string text;
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const std::size_t length = utf8_character_length(rest);
    if (length > 0) {
      text += rest.substr(0, length);
      rest.remove_prefix(length);
    } else if (!is_end && complete_prefix_length(rest) == 0) {
      break;  // the beginning of a character, nothing but
    } else {
      text += replacement;
      rest.remove_prefix(in_parts ? utf8_broken_length(rest) : 1);
    }
  }
  bytes.erase(0, bytes.size() - rest.size());
  return text;
}

}  // namespace

StreamingDecoder::StreamingDecoder(Tokenizer tokenizer, bool continues_text)
    : tokenizer_(std::move(tokenizer)), continues_text_(continues_text), at_start_(!continues_text) {}

std::string StreamingDecoder::push(std::int32_t id) {
  const PieceKind kind = tokenizer_.kind(id);
  const bool in_parts = tokenizer_.joins_pieces();
  if (kind == PieceKind::byte || in_parts) {
    pending_ += tokenizer_.piece_bytes(id);
    std::string text = take_characters(pending_, false, in_parts);
    // Bytes that are held back are text already: what follows them starts no text.
    at_start_ = false;
    return text;
  }
  std::string text = take_characters(pending_, true, tokenizer_.joins_pieces());
  std::string_view piece = tokenizer_.piece_bytes(id);
  const bool is_word = kind == PieceKind::normal || kind == PieceKind::user_defined || kind == PieceKind::unused;
  if (at_start_ && is_word && tokenizer_.drops_blanks_of_first_piece()) {
    at_start_ = false;
    std::remove_copy(piece.begin(), piece.end(), std::back_inserter(text), ' ');
    return text;
  }
  if (at_start_ && is_word && tokenizer_.drops_leading_blank() && piece.starts_with(' ')) {
    piece.remove_prefix(1);
    at_start_ = tokenizer_.drops_all_leading_blanks() && piece.empty();
  } else if (!piece.empty()) {
    at_start_ = false;
  }
  return text.append(piece);
}

std::string StreamingDecoder::finish() {
  std::string text = take_characters(pending_, true, tokenizer_.joins_pieces());
  at_start_ = !continues_text_;
  return text;
}

}  // namespace natscope
