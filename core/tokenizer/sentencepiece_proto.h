// SPDX-License-Identifier: GPL-3.0-or-later
/// What a serialized sentencepiece model says, checked before the library sees it. Private to core/io.
///
/// The library trusts its input: it walks a stored double-array trie without bounds and ends the process on some broken
/// models. So every field that it would act on is read here first.
/// Source: sentencepiece_model.proto and normalizer.cc of sentencepiece 0.1.97.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope {

struct SentencepiecePiece {
  std::string text;  ///< U+2581 for blanks; "<0x0A>" for byte pieces
  float score = 0.0F;
  PieceKind kind = PieceKind::normal;
};

struct SentencepieceModel {
  std::vector<SentencepiecePiece> pieces;
  std::string model_type = "unigram";
  std::string unk_surface = " \xE2\x81\x87 ";
  bool byte_fallback = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool has_normalization_rules = false;
  bool escapes_blanks = true;    ///< U+2581 stands for them inside the library
  bool is_blank_suffix = false;  ///< the blank that is added stands at the text's end, not at its beginning
  std::int32_t unk_id = -1;
  /// What the library is to load: pieces, trainer_spec and normalizer_spec alone. It would run stored self tests and
  /// print their text, and nothing else in a model has a say in tokenizing.
  std::string loadable;
};

/// Errors: bad_tokenizer. `what` names the file.
[[nodiscard]] Expected<SentencepieceModel> read_sentencepiece_model(std::string_view serialized,
                                                                    const std::string& what);

/// The value of a byte piece ("<0x0A>" is 10), or -1.
[[nodiscard]] int byte_piece_value(std::string_view piece);

}  // namespace natscope
