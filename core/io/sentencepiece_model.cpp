// SPDX-License-Identifier: GPL-3.0-or-later
#include <sentencepiece_processor.h>

#include <array>
#include <exception>
#include <new>

#include "core/io/sentencepiece_proto.h"
#include "core/io/tokenizer_model.h"

namespace natscope {
namespace {

constexpr std::string_view blank_mark = "\xE2\x96\x81";  // U+2581

std::string with_blanks(std::string_view piece) {
  std::string text;
  while (true) {
    const std::size_t at = piece.find(blank_mark);
    text += piece.substr(0, at);
    if (at == std::string_view::npos) return text;
    text += ' ';
    piece.remove_prefix(at + blank_mark.size());
  }
}

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
      return with_blanks(piece.text);
  }
  return {};
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The letters behind which every text can be cut before a blank: no piece spans the two, and no rule rewrites them.
/// Then pieces of the text on both sides are those of its halves: merges, like the best path through a lattice, never
/// cross the cut.
std::array<bool, 128> letters_that_end_words(const SentencepieceModel& model) {
  std::array<bool, 128> ends{};
  if (model.has_normalization_rules || model.is_blank_suffix) return ends;
  for (std::size_t c = 0; c < ends.size(); ++c) ends[c] = is_letter(static_cast<char>(c));
  for (const SentencepiecePiece& piece : model.pieces) {
    for (const std::string_view blank : {blank_mark, std::string_view(" ")}) {
      for (auto at = piece.text.find(blank, 1); at != std::string::npos; at = piece.text.find(blank, at + 1)) {
        const auto before = static_cast<unsigned char>(piece.text[at - 1]);
        if (before < ends.size()) ends[before] = false;
      }
    }
  }
  return ends;
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
    ends_words_ = letters_that_end_words(model);
    pieces.reserve(model.pieces.size());
    for (SentencepiecePiece& piece : model.pieces) {
      std::string surface = surface_of(piece, model);
      pieces.push_back({std::move(piece.text), std::move(surface), piece.kind});
    }
    return {};
  }

  [[nodiscard]] Expected<std::vector<std::int32_t>> encode(std::string_view text) const override {
    static_assert(sizeof(int) == sizeof(std::int32_t));
    std::vector<int> ids;
    const auto status = processor_.Encode(text, &ids);
    if (!status.ok())
      return fail(ErrorCode::bad_text, std::string("the text cannot be tokenized: ") + status.message());
    return ids;
  }

  [[nodiscard]] bool ends_words(char letter) const override { return ends_words_[static_cast<unsigned char>(letter)]; }

 private:
  sentencepiece::SentencePieceProcessor processor_;
  std::array<bool, 128> ends_words_{};  // by ASCII letter: no piece goes on from it over a blank
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
