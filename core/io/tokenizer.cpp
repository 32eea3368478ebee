// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>
#include <exception>

#include "core/base/mapped_file.h"
#include "core/base/utf8.h"
#include "core/io/sentencepiece_proto.h"
#include "core/io/streaming_decoder.h"

namespace natscope {
namespace {

constexpr std::uint64_t max_model_bytes = std::uint64_t{64} << 20;
constexpr std::size_t max_text_bytes = std::size_t{1} << 30;  // the library counts in int
constexpr std::string_view blank_mark = "\xE2\x96\x81";       // U+2581

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

}  // namespace

struct Tokenizer::State {
  sentencepiece::SentencePieceProcessor processor;
  SentencepieceModel model;
  std::vector<std::string> surfaces;   ///< one a piece
  std::array<bool, 128> ends_words{};  ///< by ASCII letter: no piece goes on from it over a blank
  std::optional<std::int32_t> bos;
  std::optional<std::int32_t> eos;

  [[nodiscard]] bool holds(std::int32_t id) const {
    return id >= 0 && static_cast<std::size_t>(id) < model.pieces.size();
  }
  [[nodiscard]] const SentencepiecePiece& piece(std::int32_t id) const {
    return model.pieces[static_cast<std::size_t>(id)];
  }
};

Expected<Tokenizer> Tokenizer::load(const std::filesystem::path& path) {
  const std::string what = path.string();
  auto serialized = read_small_file(path, max_model_bytes);
  if (!serialized) {
    Error error = std::move(serialized).error();
    if (error.code == ErrorCode::file_not_found) return fail(ErrorCode::missing_tokenizer, error.message);
    if (error.code == ErrorCode::file_too_large) return fail(ErrorCode::bad_tokenizer, error.message);
    return Unexpected(std::move(error));
  }
  auto state = std::make_shared<State>();
  NATSCOPE_TRY(state->model, read_sentencepiece_model(*serialized, what));
  try {
    const auto status = state->processor.LoadFromSerializedProto(state->model.loadable);
    if (!status.ok()) return fail(ErrorCode::bad_tokenizer, what + ": " + status.message());
    state->model.loadable = {};
    const auto control = [&](int id) -> std::optional<std::int32_t> {
      if (!state->holds(id)) return std::nullopt;
      return id;
    };
    state->bos = control(state->processor.bos_id());
    state->eos = control(state->processor.eos_id());
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory to load " + what);
  } catch (const std::exception& problem) {
    return fail(ErrorCode::bad_tokenizer, what + ": " + problem.what());
  }
  if (static_cast<std::size_t>(state->processor.GetPieceSize()) != state->model.pieces.size()) {
    return fail(ErrorCode::bad_tokenizer, what + ": its pieces are counted differently by sentencepiece");
  }
  state->surfaces.reserve(state->model.pieces.size());
  for (const SentencepiecePiece& piece : state->model.pieces) {
    state->surfaces.push_back(surface_of(piece, state->model));
  }
  state->ends_words = letters_that_end_words(state->model);
  Tokenizer tokenizer;
  tokenizer.state_ = std::move(state);
  return tokenizer;
}

Expected<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text) const {
  static_assert(sizeof(int) == sizeof(std::int32_t));
  if (!valid_utf8(text)) return fail(ErrorCode::bad_text, "the text is not UTF-8");
  if (text.size() > max_text_bytes) return fail(ErrorCode::bad_text, "the text has more than 1 GiB");
  std::vector<int> ids;
  if (text.empty()) return ids;
  try {
    const auto status = state_->processor.Encode(text, &ids);
    if (!status.ok())
      return fail(ErrorCode::bad_text, std::string("the text cannot be tokenized: ") + status.message());
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory to tokenize the text");
  } catch (const std::exception& problem) {
    return fail(ErrorCode::bad_text, std::string("the text cannot be tokenized: ") + problem.what());
  }
  return ids;
}

Expected<std::vector<std::int32_t>> Tokenizer::encode_beginning(std::string_view text, std::int64_t least) const {
  constexpr std::size_t first_bytes = 4096;
  // Words and blanks as in running text, so that a tokenizer's treatment of runs of blanks plays no part.
  const auto can_cut = [&](std::size_t at) {
    return text[at] == ' ' && is_letter(text[at - 1]) && is_letter(text[at + 1]) &&
           state_->ends_words[static_cast<unsigned char>(text[at - 1])];
  };
  for (std::size_t bytes = first_bytes; bytes < text.size() / 2; bytes *= 2) {
    if (bytes < static_cast<std::size_t>(std::max<std::int64_t>(least, 0))) continue;  // no token without a byte
    std::size_t cut = bytes;
    while (cut + 1 < text.size() && cut < 2 * bytes && !can_cut(cut)) ++cut;
    if (cut + 1 >= text.size() || !can_cut(cut)) continue;
    auto ids = encode(text.substr(0, cut));
    if (!ids || static_cast<std::int64_t>(ids->size()) >= least) return ids;
  }
  return encode(text);
}

Expected<std::string> Tokenizer::decode(std::span<const std::int32_t> ids) const {
  StreamingDecoder decoder(*this);
  std::string text;
  for (const std::int32_t id : ids) {
    if (id < 0) return fail(ErrorCode::bad_token_id, "token id " + std::to_string(id) + " is negative");
    text += decoder.push(id);
  }
  return text + decoder.finish();
}

std::string_view Tokenizer::piece_bytes(std::int32_t id) const {
  if (!state_->holds(id)) return {};
  return state_->surfaces[static_cast<std::size_t>(id)];
}

PieceKind Tokenizer::kind(std::int32_t id) const {
  return state_->holds(id) ? state_->piece(id).kind : PieceKind::unused;
}

std::string Tokenizer::display(std::int32_t id) const {
  if (!state_->holds(id)) return "<id " + std::to_string(id) + ">";
  const SentencepiecePiece& piece = state_->piece(id);
  if (piece.kind == PieceKind::control || piece.kind == PieceKind::unknown) return printable(piece.text);
  const std::string_view bytes = piece_bytes(id);
  const bool is_plain_byte =
      bytes.size() == 1 && static_cast<unsigned char>(bytes[0]) >= 0x20 && bytes[0] > 0 && bytes[0] != 0x7F;
  const bool is_break = bytes == "\n" || bytes == "\t" || bytes == "\r";
  if (piece.kind == PieceKind::byte && !is_plain_byte && !is_break) return piece.text;
  return printable(bytes);
}

std::optional<std::int32_t> Tokenizer::bos_id() const { return state_->bos; }
std::optional<std::int32_t> Tokenizer::eos_id() const { return state_->eos; }
std::int32_t Tokenizer::unk_id() const { return state_->model.unk_id; }
std::int32_t Tokenizer::size() const { return static_cast<std::int32_t>(state_->model.pieces.size()); }
const std::string& Tokenizer::model_type() const { return state_->model.model_type; }
bool Tokenizer::adds_dummy_prefix() const { return state_->model.add_dummy_prefix; }
bool Tokenizer::drops_leading_blank() const {
  return state_->model.add_dummy_prefix || state_->model.remove_extra_whitespaces;
}
bool Tokenizer::drops_all_leading_blanks() const { return state_->model.remove_extra_whitespaces; }

}  // namespace natscope
