// SPDX-License-Identifier: GPL-3.0-or-later
/// What stands behind a Tokenizer: pieces by id, and a way to encode. Private to core/io.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope {

struct TokenizerPiece {
  std::string text;     ///< as the file has it
  std::string surface;  ///< bytes that it adds to running text
  PieceKind kind = PieceKind::unused;
};

class TokenizerModel {
 public:
  TokenizerModel() = default;
  virtual ~TokenizerModel() = default;
  TokenizerModel(const TokenizerModel&) = delete;
  TokenizerModel& operator=(const TokenizerModel&) = delete;

  /// `text`: UTF-8, not empty. May throw std::exception. Errors: bad_text.
  [[nodiscard]] virtual Expected<std::vector<std::int32_t>> encode(std::string_view text) const = 0;
  /// Whether every text has the tokens of its two halves where it is cut before a blank, between ASCII letters of which
  /// the first is this one.
  [[nodiscard]] virtual bool ends_words(char letter) const = 0;

  std::string format;  ///< "sentencepiece" or "huggingface"
  std::string type;    ///< "bpe", "unigram", …
  std::vector<TokenizerPiece> pieces;
  std::optional<std::int32_t> bos, eos;
  std::int32_t unk = -1;  ///< -1: there is none
  bool decides_bos = false;
  bool adds_dummy_prefix = false;
  bool drops_leading_blank = false;
  bool drops_all_leading_blanks = false;
  bool drops_blanks_of_first_piece = false;
  bool joins_pieces = false;  ///< normal pieces are bytes, not characters
};

/// `what` names the file. Errors: bad_tokenizer, out_of_memory; unsupported_tokenizer of what a tokenizer.json asks for
/// and is not done here: nothing that changes tokens is ignored.
[[nodiscard]] Expected<std::shared_ptr<const TokenizerModel>> sentencepiece_model(std::string_view serialized,
                                                                                  const std::string& what);
[[nodiscard]] Expected<std::shared_ptr<const TokenizerModel>> huggingface_model(const std::filesystem::path& path);

}  // namespace natscope
