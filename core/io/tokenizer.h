// SPDX-License-Identifier: GPL-3.0-or-later
/// A sentencepiece tokenizer (`tokenizer.model`).
///
/// Cheap to copy: copies share the model. Immutable after loading, so any thread may encode and decode.
///
/// A file is checked before sentencepiece sees it, since that library aborts on some malformed models; what it throws
/// is turned into bad_tokenizer.
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

enum class PieceKind { normal, unknown, control, user_defined, unused, byte };

class Tokenizer {
 public:
  /// Errors: missing_tokenizer, bad_tokenizer, not_a_regular_file, io_failure.
  [[nodiscard]] static Expected<Tokenizer> load(const std::filesystem::path& path);

  /// The ids of `text`, without a beginning- or end-of-sequence token. Control pieces written out in the text
  /// ("<s>") are ordinary text. An empty text has no tokens. Errors: bad_text when it is not UTF-8.
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
  /// "<0x0A>" for bytes that are no character alone, "<s>" for control tokens, "<id 4711>" outside the tokenizer.
  [[nodiscard]] std::string display(std::int32_t id) const;

  [[nodiscard]] std::optional<std::int32_t> bos_id() const;
  [[nodiscard]] std::optional<std::int32_t> eos_id() const;
  [[nodiscard]] std::int32_t unk_id() const;

  /// Number of pieces.
  [[nodiscard]] std::int32_t size() const;

  /// "bpe", "unigram", "word" or "char".
  [[nodiscard]] const std::string& model_type() const;

  /// Whether encoding puts a blank in front of the text.
  [[nodiscard]] bool adds_dummy_prefix() const;

  /// Whether decoding takes a blank away from the front of a text, or from the front of every piece until there is
  /// text. For StreamingDecoder.
  [[nodiscard]] bool drops_leading_blank() const;
  [[nodiscard]] bool drops_all_leading_blanks() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace natscope
