// SPDX-License-Identifier: GPL-3.0-or-later
/// Text of a token stream, piece by piece, never cut inside a character.
///
///     StreamingDecoder decoder(tokenizer);
///     for (id : ids) print(decoder.push(id));
///     print(decoder.finish());
///
/// What push() and finish() return, joined, equals Tokenizer::decode() of the same ids. Every part is valid UTF-8.
/// Threads: one.
#pragma once

#include <cstdint>
#include <string>

#include "core/tokenizer/tokenizer.h"

namespace natscope {

class StreamingDecoder {
 public:
  /// With `continues_text` the first token follows other text (a prompt), so its leading blank stays.
  explicit StreamingDecoder(Tokenizer tokenizer, bool continues_text = false);

  /// The text that is certain after this token; may be empty.
  [[nodiscard]] std::string push(std::int32_t id);

  /// What was held back: an unfinished character becomes U+FFFD. The decoder then starts anew.
  [[nodiscard]] std::string finish();

 private:
  Tokenizer tokenizer_;
  bool continues_text_;
  bool at_start_;
  std::string pending_;
};

}  // namespace natscope
