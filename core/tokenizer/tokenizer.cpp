// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/tokenizer.h"

#include <algorithm>
#include <exception>

#include "core/base/small_file.h"
#include "core/base/utf8.h"
#include "core/tokenizer/streaming_decoder.h"
#include "core/tokenizer/tokenizer_model.h"

namespace natscope {
namespace {

constexpr std::uint64_t max_model_bytes = std::uint64_t{64} << 20;
constexpr std::size_t max_text_bytes = std::size_t{1} << 30;  // the library counts in int
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Bytes that are no character alone, one after the other.
std::string in_bytes(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {'<', '0', 'x', digits[byte >> 4U], digits[byte & 15U], '>'};
  }
  return text;
}

/// Whether the first line is one of tiktoken's: bytes in base64, a blank, a rank. Llama 3's own download calls such a
/// file tokenizer.model.
bool is_tiktoken(std::string_view file) {
  const std::string_view line = file.substr(0, std::min<std::size_t>(file.find('\n'), 256));
  const std::size_t blank = line.find(' ');
  if (blank == 0 || blank == std::string_view::npos || blank + 1 == line.size()) return false;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_base64 = [&](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '/' || c == '='; };
  return std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(blank), is_base64) &&
         std::all_of(line.begin() + static_cast<std::ptrdiff_t>(blank) + 1, line.end(), is_digit);
}

}  // namespace

Expected<Tokenizer> Tokenizer::load(const std::filesystem::path& path) {
  Tokenizer tokenizer;
  if (path.extension() == ".json") {
    NATSCOPE_TRY(tokenizer.model_, huggingface_model(path));
    return tokenizer;
  }
  auto serialized = read_small_file(path, max_model_bytes);
  if (!serialized) {
    Error error = std::move(serialized).error();
    if (error.code == ErrorCode::file_not_found) return fail(ErrorCode::missing_tokenizer, error.message);
    if (error.code == ErrorCode::file_too_large) return fail(ErrorCode::bad_tokenizer, error.message);
    return Unexpected(std::move(error));
  }
  if (is_tiktoken(*serialized)) {
    return fail(
        ErrorCode::unsupported_tokenizer,
        path.string() + " is a list of tiktoken's, not sentencepiece's: it has ranks, but not the cuts between words",
        "put the model's tokenizer.json into the folder");
  }
  NATSCOPE_TRY(tokenizer.model_, sentencepiece_model(*serialized, path.string()));
  return tokenizer;
}

Expected<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text) const {
  if (!valid_utf8(text)) return fail(ErrorCode::bad_text, "the text is not UTF-8");
  if (text.size() > max_text_bytes)
    return fail(ErrorCode::bad_text, "the text has more than 1 GiB", "give it in parts");
  if (text.empty()) return std::vector<std::int32_t>();
  try {
    return model_->encode(text);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory to tokenize the text");
  } catch (const std::exception& problem) {
    return fail(ErrorCode::bad_text, std::string("the text cannot be tokenized: ") + problem.what());
  }
}

Expected<std::vector<std::int32_t>> Tokenizer::encode_beginning(std::string_view text, std::int64_t least) const {
  constexpr std::size_t first_bytes = 4096;
  // Words and blanks as in running text, so that a tokenizer's treatment of runs of blanks plays no part.
  const auto can_cut = [&](std::size_t at) {
    return text[at] == ' ' && is_letter(text[at - 1]) && is_letter(text[at + 1]) && model_->ends_words(text[at - 1]);
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

const TokenizerPiece* Tokenizer::piece(std::int32_t id) const {
  return id >= 0 && id < size() ? &model_->pieces[static_cast<std::size_t>(id)] : nullptr;
}

std::string_view Tokenizer::piece_bytes(std::int32_t id) const {
  const TokenizerPiece* const found = piece(id);
  return found != nullptr ? std::string_view(found->surface) : std::string_view();
}

PieceKind Tokenizer::kind(std::int32_t id) const {
  const TokenizerPiece* const found = piece(id);
  return found != nullptr ? found->kind : PieceKind::unused;
}

std::string Tokenizer::display(std::int32_t id) const {
  const TokenizerPiece* const found = piece(id);
  if (found == nullptr) return "<id " + std::to_string(id) + ">";
  if (found->kind == PieceKind::control || found->kind == PieceKind::unknown) return printable(found->text);
  const std::string_view bytes = found->surface;
  const bool is_plain_byte =
      bytes.size() == 1 && static_cast<unsigned char>(bytes[0]) >= 0x20 && bytes[0] > 0 && bytes[0] != 0x7F;
  const bool is_break = bytes == "\n" || bytes == "\t" || bytes == "\r";
  if (found->kind == PieceKind::byte && !is_plain_byte && !is_break) return found->text;
  if (!model_->joins_pieces || valid_utf8(bytes)) return printable(bytes);
  return in_bytes(bytes);
}

std::optional<std::int32_t> Tokenizer::bos_id() const { return model_->bos; }
bool Tokenizer::decides_bos() const { return model_->decides_bos; }
std::optional<std::int32_t> Tokenizer::eos_id() const { return model_->eos; }
std::int32_t Tokenizer::unk_id() const { return model_->unk; }
std::int32_t Tokenizer::size() const { return static_cast<std::int32_t>(model_->pieces.size()); }
const std::string& Tokenizer::format() const { return model_->format; }
const std::string& Tokenizer::model_type() const { return model_->type; }
bool Tokenizer::adds_dummy_prefix() const { return model_->adds_dummy_prefix; }
bool Tokenizer::drops_leading_blank() const { return model_->drops_leading_blank; }
bool Tokenizer::drops_all_leading_blanks() const { return model_->drops_all_leading_blanks; }
bool Tokenizer::drops_blanks_of_first_piece() const { return model_->drops_blanks_of_first_piece; }
bool Tokenizer::joins_pieces() const { return model_->joins_pieces; }

}  // namespace natscope
