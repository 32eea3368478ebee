// SPDX-License-Identifier: GPL-3.0-or-later
/// Byte pair encoding: a word's characters, merged pair by pair in the order of the file. Private to core/io.
///
/// Source: Sennrich, Haddow & Birch, arXiv 1508.07909; the rules for what no piece spells (unk, bytes) are those of
/// Hugging Face's tokenizers library.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/tokenizer/huggingface/piece_index.h"

namespace natscope {

class BytePairs {
 public:
  /// `model`: the object under "model". Errors: bad_tokenizer (an id twice, a merge of what is no piece, …),
  /// unsupported_tokenizer (another kind of model, prefixes and suffixes of words, dropout).
  [[nodiscard]] static Expected<BytePairs> read(const nlohmann::json& model);

  /// Adds the ids of `word`, UTF-8 and not empty, to `ids`. May throw std::bad_alloc.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  /// Where the part of `word` that begins at `begin` ends: merges never cross that place, so that parts may be encoded
  /// one by one. Where nothing cuts a text into words, a word is the whole text, with U+2581 for blanks.
  [[nodiscard]] std::size_t end_of_part(std::string_view word, std::size_t begin) const;

  [[nodiscard]] const PieceIndex& vocabulary() const { return ids_; }
  [[nodiscard]] std::optional<std::int32_t> unk() const { return unk_; }
  [[nodiscard]] bool falls_back_to_bytes() const { return byte_fallback_; }

 private:
  struct Symbol {
    std::int32_t id = 0;
    std::int32_t previous = -1;
    std::int32_t next = -1;
    bool is_gone = false;
  };

  Expected<void> read_vocabulary(const nlohmann::json& vocabulary);
  Expected<void> read_merges(const nlohmann::json& merges);
  void find_ends();
  [[nodiscard]] std::vector<Symbol> symbols(std::string_view word) const;
  void merge(std::vector<Symbol>& symbols) const;

  PieceIndex ids_;
  MergeIndex merges_;
  std::array<std::int32_t, 256> byte_ids_{};  // -1: no piece
  std::optional<std::int32_t> unk_;
  bool fuse_unk_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;                 // where a whole word is a piece
  std::array<bool, 256> ends_before_blank_{};  // no piece goes on from this byte over U+2581
};

}  // namespace natscope
