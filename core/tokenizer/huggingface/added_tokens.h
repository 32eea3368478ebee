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

  /// Parts of `text` in order, none of them empty: at each place the longest token that begins there. One that begins
  /// with blanks shares them with the one before it where that takes the blanks behind it.
  [[nodiscard]] std::vector<TextPart> find(std::string_view text) const;

 private:
  /// The longest token that `text` begins with, the first one said of several alike; null where there is none.
  [[nodiscard]] const AddedToken* longest_at(std::string_view text) const;

  std::vector<AddedToken> tokens_;                // by their texts
  std::array<std::size_t, 257> first_of_byte_{};  // tokens that begin with a byte: from its place to the next one's
};

}  // namespace natscope
