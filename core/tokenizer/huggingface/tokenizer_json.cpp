// SPDX-License-Identifier: GPL-3.0-or-later
// A tokenizer.json with byte pairs: its parts put together as Hugging Face's tokenizers library does.
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "core/json/json_limits.h"
#include "core/tokenizer/huggingface/added_tokens.h"
#include "core/tokenizer/huggingface/byte_level.h"
#include "core/tokenizer/huggingface/byte_pairs.h"
#include "core/tokenizer/huggingface/json_parts.h"
#include "core/tokenizer/huggingface/normalizer_steps.h"
#include "core/tokenizer/huggingface/pre_tokenizer_steps.h"
#include "core/tokenizer/replaced_text.h"
#include "core/tokenizer/sentencepiece_proto.h"
#include "core/tokenizer/tokenizer_model.h"

namespace natscope {
namespace {

using nlohmann::json;

/// Gemma's, of 256 000 pieces, takes half of either.
constexpr JsonLimits limits{.max_bytes = std::size_t{64} << 20U, .max_values = std::size_t{4} << 20U};
constexpr std::size_t most_added = 100'000;
/// Words whose ids a call remembers: most of a text's are few.
constexpr std::size_t most_remembered = 50'000;
constexpr std::size_t longest_remembered = 64;

const json& part(const json& file, const char* key) {
  static const json nothing;
  const auto found = file.find(key);
  return found == file.end() ? nothing : *found;
}

struct AddedLists {
  std::vector<AddedToken> in_raw, in_normalized;
};

/// `pieces`: of the vocabulary.
Expected<AddedLists> read_added(const json& list, std::size_t pieces) {
  AddedLists made;
  if (list.is_null()) return made;
  if (!list.is_array() || list.size() > most_added)
    return fail(ErrorCode::bad_tokenizer, "\"added_tokens\" is not a list of at most 100 000");
  for (const json& item : list) {
    AddedToken token;
    NATSCOPE_TRY(token.text, text_of(item, "content"));
    if (token.text.size() > longest_piece)
      return fail(ErrorCode::bad_tokenizer, "an added token of " + std::to_string(token.text.size()) + " bytes");
    const json& id = part(item, "id");
    if (!is_piece_id(id, pieces + list.size()))
      return fail(ErrorCode::bad_tokenizer,
                  "the id of " + printable(token.text) + " is none, or too high for so few pieces");
    token.id = id.get<std::int32_t>();
    NATSCOPE_TRY(token.takes_blanks_before, flag_of(item, "lstrip", false));
    NATSCOPE_TRY(token.takes_blanks_behind, flag_of(item, "rstrip", false));
    NATSCOPE_TRY(token.is_special, flag_of(item, "special", false));
    NATSCOPE_TRY(const bool stands_alone, flag_of(item, "single_word", false));
    if (stands_alone) return not_done("added_tokens", "with single_word");
    NATSCOPE_TRY(const bool normalized, flag_of(item, "normalized", !token.is_special));
    if (!token.text.empty()) (normalized ? made.in_normalized : made.in_raw).push_back(std::move(token));
  }
  return made;
}

/// What a post-processor says of the front of a text.
struct Front {
  bool is_decided = false;
  std::optional<std::int32_t> bos;
};

/// What a post-processor does besides putting a token in front would change tokens: refused.
Expected<Front> read_front(const json& processor, int depth = 0) {
  Front front;
  if (processor.is_null()) return front;
  NATSCOPE_TRY(const std::string type, type_of(processor, "post_processor"));
  if (type == "ByteLevel") return front;  // of offsets alone
  if (type == "Sequence") {
    NATSCOPE_TRY(const json* const parts, sequence_of(processor, "processors", depth));
    for (const json& one : *parts) {
      NATSCOPE_TRY(const Front found, read_front(one, depth + 1));
      if (found.bos && front.bos) return not_done("post_processor", "with two tokens in front");
      front.is_decided |= found.is_decided;
      if (found.bos) front.bos = found.bos;
    }
    return front;
  }
  if (type != "TemplateProcessing") return not_done("post_processor", type);
  front.is_decided = true;
  bool behind = false;
  const json& single = part(processor, "single");
  if (!single.is_array()) return fail(ErrorCode::bad_tokenizer, "a TemplateProcessing without \"single\"");
  for (const json& item : single) {
    if (item.is_object() && item.contains("Sequence")) {
      behind = true;
      continue;
    }
    if (behind) return not_done("post_processor", "with a token behind every text");
    if (front.bos) return not_done("post_processor", "with two tokens in front");
    NATSCOPE_TRY(const std::string name, text_of(part(item, "SpecialToken"), "id"));
    const json& ids = part(part(part(processor, "special_tokens"), name.c_str()), "ids");
    if (!ids.is_array() || ids.size() != 1 || !is_piece_id(ids[0], SIZE_MAX / 4))
      return fail(ErrorCode::bad_tokenizer, "TemplateProcessing does not say the id of " + printable(name));
    front.bos = ids[0].get<std::int32_t>();
  }
  return front;
}

/// How pieces become text again.
struct Decoding {
  bool of_bytes = false;
  std::string mark;  // for a blank
  bool drops_leading_blank = false;
  bool drops_first_blanks = false;  // all those of the first piece
};

Expected<void> read_decoder(const json& decoder, Decoding& made, int depth = 0) {
  if (decoder.is_null()) return {};
  NATSCOPE_TRY(const std::string type, type_of(decoder, "decoder"));
  if (type == "Sequence") {
    NATSCOPE_TRY(const json* const parts, sequence_of(decoder, "decoders", depth));
    for (const json& one : *parts) NATSCOPE_CHECK(read_decoder(one, made, depth + 1));
    return {};
  }
  if (type == "ByteFallback" || type == "Fuse") return {};
  if (type == "ByteLevel") {
    made.of_bytes = true;
    return {};
  }
  if (type == "Replace") {
    NATSCOPE_TRY(made.mark, literal_of(decoder));
    NATSCOPE_TRY(const std::string to, text_of(decoder, "content"));
    if (to != " ") return not_done("decoder Replace", "of anything but blanks");
    return {};
  }
  if (type == "Strip") {
    NATSCOPE_TRY(const std::string what, text_of(decoder, "content"));
    if (what != " " || part(decoder, "start") != 1 || part(decoder, "stop") != 0)
      return not_done("decoder Strip", "of anything but one blank in front");
    made.drops_leading_blank = true;
    return {};
  }
  if (type == "Metaspace") {
    NATSCOPE_TRY(made.mark, text_of(decoder, "replacement"));
    NATSCOPE_TRY(const bool adds, flag_of(decoder, "add_prefix_space", true));
    made.drops_first_blanks = adds;
    if (decoder.contains("prepend_scheme")) {
      NATSCOPE_TRY(const std::string scheme, text_of(decoder, "prepend_scheme"));
      made.drops_first_blanks = scheme != "never";
    }
    return {};
  }
  return not_done("decoder", type);
}

class HuggingFace final : public TokenizerModel {
 public:
  Expected<void> read(const json& file) {
    if (!file.is_object()) return fail(ErrorCode::bad_tokenizer, "it is not an object");
    format = "huggingface";
    type = "bpe";
    NATSCOPE_TRY(pairs_, BytePairs::read(part(file, "model")));
    NATSCOPE_TRY(normalizer_, NormalizerSteps::read(part(file, "normalizer")));
    NATSCOPE_TRY(pre_tokenizer_, PreTokenizerSteps::read(part(file, "pre_tokenizer")));
    NATSCOPE_TRY(AddedLists added, read_added(part(file, "added_tokens"), pairs_->vocabulary().pieces().size()));
    Decoding decoding;
    NATSCOPE_CHECK(read_decoder(part(file, "decoder"), decoding));
    if (decoding.of_bytes != pre_tokenizer_->is_byte_level())
      return not_done("decoder", "that does not undo the pre_tokenizer");
    NATSCOPE_CHECK(place_pieces(added, decoding));
    NATSCOPE_TRY(const Front front, read_front(part(file, "post_processor")));
    bos = front.bos;
    if (bos && pieces_of(*bos) == nullptr)
      return fail(ErrorCode::bad_tokenizer, "the token in front of texts is not a piece");
    decides_bos = front.is_decided;
    unk = pairs_->unk().value_or(-1);
    joins_pieces = decoding.of_bytes;
    drops_leading_blank = decoding.drops_leading_blank;
    drops_blanks_of_first_piece = decoding.drops_first_blanks;
    adds_dummy_prefix = decoding.drops_leading_blank || decoding.drops_first_blanks;
    ends_words_ = pre_tokenizer_->cuts_before_blanks() && !normalizer_->replaces() &&
                  std::none_of(added.in_normalized.begin(), added.in_normalized.end(), touches_blanks) &&
                  std::none_of(added.in_raw.begin(), added.in_raw.end(), touches_blanks);
    for (AddedToken& token : added.in_normalized) {
      std::size_t room = NormalizerSteps::room_of_a_text;
      auto normalized = normalizer_->apply(std::move(token.text), room);
      if (!normalized) return fail(ErrorCode::bad_tokenizer, "an added token: " + normalized.error().message);
      token.text = *std::move(normalized);
    }
    std::erase_if(added.in_normalized, [](const AddedToken& token) { return token.text.empty(); });
    in_raw_ = AddedTokens(std::move(added.in_raw));
    in_normalized_ = AddedTokens(std::move(added.in_normalized));
    return {};
  }

  [[nodiscard]] Expected<std::vector<std::int32_t>> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    std::unordered_map<std::string, std::vector<std::int32_t>> remembered;
    SearchSteps searching(text.size());
    std::size_t room = NormalizerSteps::room_of_a_text;
    for (const TextPart& raw : in_raw_.find(text)) {
      if (raw.id >= 0) {
        ids.push_back(raw.id);
        continue;
      }
      NATSCOPE_TRY(const std::string normalized, normalizer_->apply(std::string(raw.text), room));
      bool begins_text = raw.text.data() == text.data();
      for (const TextPart& part : in_normalized_.find(normalized)) {
        if (part.id >= 0) {
          ids.push_back(part.id);
        } else {
          NATSCOPE_TRY(const auto words, pre_tokenizer_->cut(std::string(part.text), begins_text, searching));
          for (const std::string& word : words) encode_word(word, remembered, ids);
        }
        begins_text = false;
      }
    }
    return ids;
  }

  [[nodiscard]] bool ends_words(char) const override { return ends_words_; }

 private:
  static bool touches_blanks(const AddedToken& token) {
    return token.takes_blanks_before || token.takes_blanks_behind || token.text.find(' ') != std::string::npos;
  }

  void encode_word(const std::string& word, std::unordered_map<std::string, std::vector<std::int32_t>>& remembered,
                   std::vector<std::int32_t>& ids) const {
    for (std::size_t begin = 0, end = 0; begin < word.size(); begin = end) {
      end = pairs_->end_of_part(word, begin);
      const std::string part = word.substr(begin, end - begin);
      const auto found = remembered.find(part);
      if (found != remembered.end()) {
        ids.insert(ids.end(), found->second.begin(), found->second.end());
        continue;
      }
      const std::size_t before = ids.size();
      pairs_->encode(part, ids);
      if (part.size() <= longest_remembered && remembered.size() < most_remembered)
        remembered.try_emplace(part, ids.begin() + static_cast<std::ptrdiff_t>(before), ids.end());
    }
  }

  [[nodiscard]] TokenizerPiece* pieces_of(std::int32_t id) {
    const auto index = static_cast<std::size_t>(id);
    return index < pieces.size() && !pieces[index].text.empty() ? &pieces[index] : nullptr;
  }

  TokenizerPiece& place(std::int32_t id) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= pieces.size()) pieces.resize(index + 1);
    return pieces[index];
  }

  /// A piece that is no byte, as running text has it.
  static std::string in_text(const std::string& piece, const Decoding& decoding) {
    return decoding.mark.empty() ? piece : replaced_text(piece, decoding.mark, " ");
  }

  Expected<void> place_pieces(const AddedLists& added, const Decoding& decoding) {
    for (const auto& [text, id] : pairs_->vocabulary().pieces()) {
      TokenizerPiece& piece = place(id);
      piece.text = text;
      piece.kind = PieceKind::normal;
      if (decoding.of_bytes) {
        // A piece of characters that stand for no bytes is shown as it is written.
        piece.surface = characters_as_bytes(text).value_or(text);
      } else if (const int byte = byte_piece_value(text); pairs_->falls_back_to_bytes() && byte >= 0) {
        piece.kind = PieceKind::byte;
        piece.surface = std::string(1, static_cast<char>(byte));
      } else {
        piece.surface = in_text(text, decoding);
      }
    }
    for (const auto* const list : {&added.in_raw, &added.in_normalized}) {
      for (const AddedToken& token : *list) {
        const auto in_vocabulary = pairs_->vocabulary().find(token.text);
        if (in_vocabulary && *in_vocabulary != token.id)
          return fail(ErrorCode::bad_tokenizer, printable(token.text) + " has two ids");
        TokenizerPiece& piece = place(token.id);
        if (!piece.text.empty() && piece.text != token.text)
          return fail(ErrorCode::bad_tokenizer, "two pieces have the id " + std::to_string(token.id));
        piece.text = token.text;
        piece.surface = token.is_special ? std::string() : in_text(token.text, decoding);
        piece.kind = token.is_special ? PieceKind::control : PieceKind::user_defined;
      }
    }
    if (const auto id = pairs_->unk()) place(*id).kind = PieceKind::unknown;
    return {};
  }

  std::optional<BytePairs> pairs_;
  std::optional<NormalizerSteps> normalizer_;
  std::optional<PreTokenizerSteps> pre_tokenizer_;
  AddedTokens in_raw_, in_normalized_;
  bool ends_words_ = false;
};

}  // namespace

Expected<std::shared_ptr<const TokenizerModel>> huggingface_model(const std::filesystem::path& path) {
  auto file = read_json_file(path, limits);
  if (!file) {
    Error error = std::move(file).error();
    if (error.code == ErrorCode::file_not_found) return fail(ErrorCode::missing_tokenizer, error.message);
    if (error.code == ErrorCode::bad_json) return fail(ErrorCode::bad_tokenizer, error.message);
    return Unexpected(std::move(error));
  }
  try {
    auto made = std::make_shared<HuggingFace>();
    if (auto read = made->read(*file); !read) {
      Error error = std::move(read).error();
      error.message = printable(path.string()) + ": " + error.message;
      return Unexpected(std::move(error));
    }
    return made;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory to load " + path.string());
  }
}

}  // namespace natscope
