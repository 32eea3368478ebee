// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/follow_up_tokens.h"

#include <algorithm>
#include <optional>
#include <string>

namespace natscope {
namespace {

using Tokens = std::vector<std::int32_t>;

std::size_t leading_blanks(std::string_view text) { return std::min(text.find_first_not_of(' '), text.size()); }

std::size_t leading_blanks(const Tokenizer& tokenizer, const Tokens& tokens) {
  std::size_t blanks = 0;
  for (const std::int32_t token : tokens) {
    const std::string_view piece = tokenizer.piece_bytes(token);
    blanks += leading_blanks(piece);
    if (leading_blanks(piece) < piece.size()) break;
  }
  return blanks;
}

/// The ids that `text` has behind another text; nothing where that has not the same ids in front of it as alone, or
/// (with `alone`) is not that one token.
Expected<std::optional<Tokens>> tokens_behind(const Tokenizer& tokenizer, const std::string& lead,
                                              std::string_view text, std::optional<std::int32_t> alone) {
  NATSCOPE_TRY(const Tokens first, tokenizer.encode(lead));
  NATSCOPE_TRY(const Tokens all, tokenizer.encode(lead + std::string(text)));
  const bool is_in_front =
      !first.empty() && first.size() <= all.size() && std::equal(first.begin(), first.end(), all.begin());
  if (!is_in_front || (alone && first != Tokens{*alone})) return std::optional<Tokens>();
  return std::optional(Tokens(all.begin() + static_cast<std::ptrdiff_t>(first.size()), all.end()));
}

}  // namespace

Expected<Tokens> follow_up_tokens(const Tokenizer& tokenizer, std::int32_t last, std::string_view text) {
  const PieceKind kind = tokenizer.kind(last);
  if (kind == PieceKind::control || kind == PieceKind::user_defined) {
    // Written out, it may be ordinary text.
    NATSCOPE_TRY(auto behind_mark, tokens_behind(tokenizer, tokenizer.display(last), text, last));
    if (behind_mark) return *std::move(behind_mark);
  }
  NATSCOPE_TRY(Tokens plain, tokenizer.encode(text));
  if (leading_blanks(tokenizer, plain) <= leading_blanks(text)) return plain;
  for (const char* const lead : {"\n", ".", "0", "x"}) {  // what follows may join one of them
    NATSCOPE_TRY(auto behind_lead, tokens_behind(tokenizer, lead, text, {}));
    if (behind_lead) return *std::move(behind_lead);
  }
  return plain;
}

}  // namespace natscope
