// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/chat/jinja/value.h"

namespace natscope::jinja {

enum class TokenKind {
  text,            ///< outside of tags
  block_begin,     ///< {%
  block_end,       ///< %}
  variable_begin,  ///< {{
  variable_end,    ///< }}
  name,
  string,
  integer,
  real,
  symbol,  ///< an operator or bracket, as written
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;  ///< a string's characters, a name, a symbol
  Value number;      ///< of integer and real
  int line = 0;      ///< from 1
};

/// Takes a template apart as Jinja does with trim_blocks and lstrip_blocks, which is how transformers sets it up: a
/// line break after a block's tag goes away, blanks before a tag that begins its line, too, and `-` takes all white
/// space on its side. The last token is `end`. Errors: bad_tokenizer, unsupported_tokenizer; each names its line.
/// Source: Jinja's documentation, "Whitespace Control" and "Lexical structure".
[[nodiscard]] Expected<std::vector<Token>> read_tokens(std::string_view source);

/// The same error with the template's line in front of what it says.
[[nodiscard]] Unexpected at_line(int line, Error error);

}  // namespace natscope::jinja
