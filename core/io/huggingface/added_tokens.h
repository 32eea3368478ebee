// SPDX-License-Identifier: GPL-3.0-or-later
/// Tokens of a tokenizer.json that are found in the text itself, before anything else is done to it. Private to
/// core/io.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace natscope {

struct AddedToken {
  std::int32_t id = 0;
  std::string text;
  bool takes_blanks_before = false;  ///< lstrip
  bool takes_blanks_behind = false;  ///< rstrip
  bool is_special = false;
};

/// A part of a text: one of the tokens, or (id -1) text between them.
struct TextPart {
  std::string_view text;
  std::int32_t id = -1;
};

class AddedTokens {
 public:
  /// None of the texts is empty.
  explicit AddedTokens(std::vector<AddedToken> tokens = {});

  /// Parts of `text` in order, none of them empty: at each place the longest token that begins there.
  [[nodiscard]] std::vector<TextPart> find(std::string_view text) const;

 private:
  std::vector<AddedToken> tokens_;
  std::array<std::vector<std::size_t>, 256> by_first_byte_;  // longest first
};

}  // namespace natscope
