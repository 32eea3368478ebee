// SPDX-License-Identifier: GPL-3.0-or-later
/// A tokenizer: sentencepiece's (`tokenizer.model`), or one of Hugging Face's with byte pairs (`tokenizer.json`).
///
/// Cheap to copy: copies share the model. Immutable after loading, so any thread may encode and decode.
///
/// A file is checked before sentencepiece sees it, since that library aborts on some malformed models; what it throws
/// is turned into bad_tokenizer. A tokenizer.json is read here (core/tokenizer/huggingface): what it asks for is done
/// as the tokenizers library does it, or refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

class TokenizerModel;
struct TokenizerPiece;

enum class PieceKind { normal, unknown, control, user_defined, unused, byte };

class Tokenizer {
 public:
  /// A name that ends in .json is Hugging Face's. Errors: missing_tokenizer, bad_tokenizer, unsupported_tokenizer,
  /// not_a_regular_file, io_failure.
  [[nodiscard]] static Expected<Tokenizer> load(const std::filesystem::path& path);

  /// The ids of `text`, without a beginning- or end-of-sequence token. Control pieces written out in the text ("<s>")
  /// are ordinary text to sentencepiece, and the added tokens of a tokenizer.json ("<|im_start|>") are those tokens, as
  /// their libraries have it. An empty text has no tokens. Errors: bad_text when it is not UTF-8.
  [[nodiscard]] Expected<std::vector<std::int32_t>> encode(std::string_view text) const;

  /// The first of those ids: at least `least` of them where the text has as many, in time that goes with them and not
  /// with the text, where the tokenizer allows it (no normalization rules, no pieces that begin inside a word and reach
  /// into the next one; else the whole text is read). Errors: as encode(), for what was read.
  [[nodiscard]] Expected<std::vector<std::int32_t>> encode_beginning(std::string_view text, std::int64_t least) const;

  /// Text of a sequence: control tokens are silent, byte pieces are joined into characters, the blank that was put
  /// before the first word while encoding is taken away again. Always valid UTF-8; broken byte sequences become
  /// U+FFFD. Ids from size() up to the model's vocabulary stand for nothing and are silent.
  /// Errors: bad_token_id for negative ids.
  [[nodiscard]] Expected<std::string> decode(std::span<const std::int32_t> ids) const;

  /// Bytes that a token adds to running text (" the" with its blank, one byte for a byte piece, none for control
  /// tokens and for ids outside the tokenizer). The blank in front of a text's first token is not taken away here.
  [[nodiscard]] std::string_view piece_bytes(std::int32_t id) const;

  [[nodiscard]] PieceKind kind(std::int32_t id) const;

  /// A token for people, on one line: piece_bytes with blanks kept, "\n" and "\t" for line breaks and tabs,
  /// "<0x0A>" for bytes that are no characters alone, "<s>" for control tokens, "<id 4711>" outside the tokenizer.
  [[nodiscard]] std::string display(std::int32_t id) const;

  [[nodiscard]] std::optional<std::int32_t> bos_id() const;
  /// Whether the file itself says what stands in front of a text: bos_id() or nothing, whatever a model's config names.
  /// A tokenizer.json does where its post_processor is a template.
  [[nodiscard]] bool decides_bos() const;
  [[nodiscard]] std::optional<std::int32_t> eos_id() const;
  [[nodiscard]] std::int32_t unk_id() const;  ///< -1: there is none

  /// Number of pieces: the highest id and one.
  [[nodiscard]] std::int32_t size() const;

  /// "sentencepiece" or "huggingface".
  [[nodiscard]] const std::string& format() const;

  /// "bpe", "unigram", "word" or "char".
  [[nodiscard]] const std::string& model_type() const;

  /// Whether encoding puts a blank in front of the text.
  [[nodiscard]] bool adds_dummy_prefix() const;

  /// Whether decoding takes a blank away from the front of a text, or from the front of every piece until there is
  /// text. For StreamingDecoder.
  [[nodiscard]] bool drops_leading_blank() const;
  [[nodiscard]] bool drops_all_leading_blanks() const;
  /// Whether decoding takes away every blank in a text's first piece, wherever it stands there. For StreamingDecoder.
  [[nodiscard]] bool drops_blanks_of_first_piece() const;
  /// Whether any piece may end inside a character, and not byte pieces alone.
  [[nodiscard]] bool joins_pieces() const;

 private:
  [[nodiscard]] const TokenizerPiece* piece(std::int32_t id) const;

  std::shared_ptr<const TokenizerModel> model_;
};

}  // namespace natscope
