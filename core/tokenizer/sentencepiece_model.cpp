// SPDX-License-Identifier: GPL-3.0-or-later
#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <unordered_map>

#include "core/tokenizer/replaced_text.h"
#include "core/tokenizer/sentencepiece_proto.h"
#include "core/tokenizer/tokenizer_model.h"

namespace natscope {
namespace {

constexpr std::string_view blank_mark = "\xE2\x96\x81";  // U+2581
/// Words whose ids a call remembers: most of a text's are few.
constexpr std::size_t most_remembered = 50'000;
constexpr std::size_t longest_remembered = 64;

/// What a piece adds to running text.
std::string surface_of(const SentencepiecePiece& piece, const SentencepieceModel& model) {
  switch (piece.kind) {
    case PieceKind::control:
      return {};
    case PieceKind::unknown:
      return model.unk_surface;
    case PieceKind::byte:
      return std::string(1, static_cast<char>(byte_piece_value(piece.text)));
    case PieceKind::normal:
    case PieceKind::user_defined:
    case PieceKind::unused:
      return replaced_text(piece.text, blank_mark, " ");
  }
  return {};
}

using Bytes = std::array<bool, 256>;

/// The bytes behind which every text can be cut before a blank: no piece spans the two, and no rule rewrites them.
/// Then pieces of the text on both sides are those of its halves: merges, like the best path through a lattice, never
/// cross the cut.
Bytes bytes_that_end_words(const SentencepieceModel& model) {
  Bytes ends{};
  if (model.has_normalization_rules || model.is_blank_suffix) return ends;
  ends.fill(true);
  ends[' '] = false;
  for (const SentencepiecePiece& piece : model.pieces) {
    for (const std::string_view blank : {blank_mark, std::string_view(" ")}) {
      for (auto at = piece.text.find(blank, 1); at != std::string::npos; at = piece.text.find(blank, at + 1))
        ends[static_cast<unsigned char>(piece.text[at - 1])] = false;
    }
  }
  return ends;
}

/// Whether a text's words can be given to the library one by one. The library takes a long text's pairs of symbols from
/// one queue: time per byte grows with the text, and a word that stands there a thousand times is merged as often.
bool takes_words(const SentencepieceModel& model) {
  // Sums of scores are rounded, so that of two paths alike the library may take the other one in a longer text.
  const bool merges = model.model_type == "bpe";
  // Unknown characters that touch are one token; what a word begins with must not be one.
  const bool knows_blanks = std::any_of(model.pieces.begin(), model.pieces.end(), [](const SentencepiecePiece& piece) {
    return piece.kind == PieceKind::normal && piece.text == blank_mark;
  });
  return merges && knows_blanks && model.escapes_blanks && !model.remove_extra_whitespaces &&
         !model.has_normalization_rules && !model.is_blank_suffix;
}

class Sentencepiece final : public TokenizerModel {
 public:
  /// Errors: bad_tokenizer. May throw what sentencepiece throws.
  Expected<void> load(SentencepieceModel model, const std::string& what) {
    const auto status = processor_.LoadFromSerializedProto(model.loadable);
    if (!status.ok()) return fail(ErrorCode::bad_tokenizer, what + ": " + status.message());
    if (static_cast<std::size_t>(processor_.GetPieceSize()) != model.pieces.size())
      return fail(ErrorCode::bad_tokenizer, what + ": its pieces are counted differently by sentencepiece");
    const auto control = [&](int id) -> std::optional<std::int32_t> {
      if (id < 0 || static_cast<std::size_t>(id) >= model.pieces.size()) return std::nullopt;
      return id;
    };
    format = "sentencepiece";
    type = model.model_type;
    bos = control(processor_.bos_id());
    eos = control(processor_.eos_id());
    unk = model.unk_id;
    adds_dummy_prefix = model.add_dummy_prefix;
    drops_leading_blank = model.add_dummy_prefix || model.remove_extra_whitespaces;
    drops_all_leading_blanks = model.remove_extra_whitespaces;
    ends_words_ = bytes_that_end_words(model);
    takes_words_ = takes_words(model);
    pieces.reserve(model.pieces.size());
    for (SentencepiecePiece& piece : model.pieces) {
      std::string surface = surface_of(piece, model);
      pieces.push_back({std::move(piece.text), std::move(surface), piece.kind});
    }
    return {};
  }

  [[nodiscard]] Expected<std::vector<std::int32_t>> encode(std::string_view text) const override {
    if (!takes_words_) return encode_whole(text);
    std::vector<std::int32_t> ids;
    std::unordered_map<std::string_view, std::vector<std::int32_t>> remembered;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = end_of_word(text, begin);
      std::string_view word = text.substr(begin, end - begin);
      // The blank that the library puts in front is the one that stands there.
      if (begin > 0 && adds_dummy_prefix) word.remove_prefix(1);
      begin = end;
      const auto found = remembered.find(word);
      if (found != remembered.end()) {
        ids.insert(ids.end(), found->second.begin(), found->second.end());
        continue;
      }
      NATSCOPE_TRY(std::vector<std::int32_t> made, encode_whole(word));
      ids.insert(ids.end(), made.begin(), made.end());
      if (word.size() <= longest_remembered && remembered.size() < most_remembered)
        remembered.emplace(word, std::move(made));
    }
    return ids;
  }

  [[nodiscard]] bool ends_words(char letter) const override { return ends_words_[static_cast<unsigned char>(letter)]; }

 private:
  [[nodiscard]] Expected<std::vector<std::int32_t>> encode_whole(std::string_view text) const {
    static_assert(sizeof(int) == sizeof(std::int32_t));
    std::vector<int> ids;
    const auto status = processor_.Encode(text, &ids);
    if (!status.ok())
      return fail(ErrorCode::bad_text, std::string("the text cannot be tokenized: ") + status.message());
    return ids;
  }

  /// A blank that ends the text stays with what comes before it: alone it would be taken for the library's own.
  [[nodiscard]] std::size_t end_of_word(std::string_view text, std::size_t begin) const {
    for (std::size_t end = begin;;) {
      end = text.find(' ', end + 1);
      if (end == std::string_view::npos || end + 1 >= text.size()) return text.size();
      if (ends_words_[static_cast<unsigned char>(text[end - 1])]) return end;
    }
  }

  sentencepiece::SentencePieceProcessor processor_;
  Bytes ends_words_{};  // no piece goes on from this one over a blank
  bool takes_words_ = false;
};

}  // namespace

Expected<std::shared_ptr<const TokenizerModel>> sentencepiece_model(std::string_view serialized,
                                                                    const std::string& what) {
  NATSCOPE_TRY(SentencepieceModel model, read_sentencepiece_model(serialized, what));
  try {
    auto made = std::make_shared<Sentencepiece>();
    NATSCOPE_CHECK(made->load(std::move(model), what));
    return made;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory to load " + what);
  } catch (const std::exception& problem) {
    return fail(ErrorCode::bad_tokenizer, what + ": " + problem.what());
  }
}

}  // namespace natscope
