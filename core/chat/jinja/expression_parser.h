// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/chat/jinja/lexer.h"
#include "core/chat/jinja/syntax.h"

namespace natscope::jinja {

/// The tokens of a template, gone through once.
class TokenCursor {
 public:
  explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  [[nodiscard]] const Token& now() const { return tokens_[at_]; }
  [[nodiscard]] const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take();
  [[nodiscard]] bool is(TokenKind kind) const { return now().kind == kind; }
  [[nodiscard]] bool is_symbol(std::string_view symbol) const { return is(TokenKind::symbol) && now().text == symbol; }
  [[nodiscard]] bool is_name(std::string_view name) const { return is(TokenKind::name) && now().text == name; }
  /// Goes past it, where it stands here.
  bool skip_symbol(std::string_view symbol);
  bool skip_name(std::string_view name);
  [[nodiscard]] Expected<void> expect_symbol(std::string_view symbol);
  [[nodiscard]] Expected<std::string> expect_name();
  [[nodiscard]] Expected<void> expect(TokenKind kind, std::string_view what);
  /// An error that says where it is and what stands there.
  [[nodiscard]] Unexpected unexpected(std::string_view wanted) const;

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

/// Parses one expression, with `x if y else z` where `with_condition`. Errors: bad_tokenizer, unsupported_tokenizer.
[[nodiscard]] Expected<ExpressionPtr> parse_expression(TokenCursor& tokens, bool with_condition = true);
/// The same, or several with commas between them: a tuple.
[[nodiscard]] Expected<ExpressionPtr> parse_tuple(TokenCursor& tokens, bool with_condition = true);

}  // namespace natscope::jinja
