// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/streaming_decoder.h"

#include "core/base/utf8.h"

namespace natscope {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

/// Moves out of `bytes` the characters that are certain; each byte that can belong to none becomes U+FFFD, as
/// sentencepiece does it. With `is_end` nothing stays behind.
std::string take_characters(std::string& bytes, bool is_end) {
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
      rest.remove_prefix(1);
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
  if (kind == PieceKind::byte) {
    pending_ += tokenizer_.piece_bytes(id);
    std::string text = take_characters(pending_, false);
    // Bytes that are held back are text already: what follows them starts no text.
    at_start_ = false;
    return text;
  }
  std::string text = take_characters(pending_, true);
  std::string_view piece = tokenizer_.piece_bytes(id);
  const bool is_word = kind == PieceKind::normal || kind == PieceKind::user_defined || kind == PieceKind::unused;
  if (at_start_ && is_word && tokenizer_.drops_leading_blank() && piece.starts_with(' ')) {
    piece.remove_prefix(1);
    at_start_ = tokenizer_.drops_all_leading_blanks() && piece.empty();
  } else if (!piece.empty()) {
    at_start_ = false;
  }
  return text.append(piece);
}

std::string StreamingDecoder::finish() {
  std::string text = take_characters(pending_, true);
  at_start_ = !continues_text_;
  return text;
}

}  // namespace natscope
