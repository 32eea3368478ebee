// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/chat/jinja/expression_parser.h"
#include "core/chat/jinja/lexer.h"

namespace natscope::jinja {
namespace {

constexpr int deepest_block = 60;

class StatementParser {
 public:
  explicit StatementParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Expected<Block> all() {
    NATSCOPE_TRY(Block block, body({}));
    if (tokens_.is(TokenKind::end)) return block;
    return wrong("a tag {% " + printable(tokens_.next().text, 40) + " %} that ends nothing");
  }

 private:
  using Words = std::initializer_list<std::string_view>;

  [[nodiscard]] Unexpected wrong(std::string message) const {
    return at_line(tokens_.now().line, make_error(ErrorCode::bad_tokenizer, std::move(message)));
  }

  /// Statements up to a tag with one of these words, which stays: the cursor stands before its {%.
  Expected<Block> body(Words ends) {
    if (++nested_ > deepest_block) return wrong("blocks nested too deeply");
    Block block;
    for (;;) {
      const int line = tokens_.now().line;
      if (tokens_.is(TokenKind::text)) {
        block.push_back({Text{tokens_.take().text}, line});
      } else if (tokens_.is(TokenKind::variable_begin)) {
        tokens_.take();
        NATSCOPE_TRY(ExpressionPtr value, parse_tuple(tokens_));
        NATSCOPE_CHECK(tokens_.expect(TokenKind::variable_end, "“}}”"));
        block.push_back({Output{std::move(value)}, line});
      } else if (tokens_.is(TokenKind::block_begin)) {
        if (tokens_.next().kind != TokenKind::name) {
          tokens_.take();
          return tokens_.unexpected("a word");
        }
        const std::string& word = tokens_.next().text;
        constexpr std::array<std::string_view, 7> closing{"elif",   "else",     "endif",        "endfor",
                                                          "endset", "endmacro", "endgeneration"};
        const bool is_end = std::find(ends.begin(), ends.end(), word) != ends.end();
        if (is_end || std::find(closing.begin(), closing.end(), word) != closing.end()) break;
        tokens_.take();
        NATSCOPE_TRY(auto node, statement());
        block.push_back({std::move(node), line});
      } else {
        break;
      }
    }
    --nested_;
    return block;
  }

  /// The same of a body that no break or continue leaves.
  Expected<Block> body_of_its_own(std::string_view end) {
    const int outer = std::exchange(loops_, 0);
    auto block = body({end});
    loops_ = outer;
    return block;
  }

  /// Goes past {% word.
  Expected<std::string> take_end(std::string_view of, Words words) {
    const bool is_one =
        tokens_.is(TokenKind::block_begin) && std::find(words.begin(), words.end(), tokens_.next().text) != words.end();
    if (!is_one) return wrong("{% " + std::string(of) + " %} is not ended");
    tokens_.take();
    return tokens_.take().text;
  }

  Expected<void> end_of_tag() { return tokens_.expect(TokenKind::block_end, "“%}”"); }

  Expected<decltype(Statement::node)> statement() {
    const int line = tokens_.now().line;
    NATSCOPE_TRY(const std::string word, tokens_.expect_name());
    if (word == "if") return if_statement();
    if (word == "for") return for_statement();
    if (word == "set") return set_statement();
    if (word == "macro") return macro_statement();
    if (word == "break" || word == "continue") {
      if (loops_ == 0) {
        return at_line(line,
                       make_error(ErrorCode::unsupported_tokenizer, "{% " + word + " %} that leaves more than a loop"));
      }
      NATSCOPE_CHECK(end_of_tag());
      if (word == "break") return Break{};
      return Continue{};
    }
    if (word == "generation") {
      NATSCOPE_CHECK(end_of_tag());
      NATSCOPE_TRY(Block inside, body_of_its_own("endgeneration"));
      NATSCOPE_CHECK(take_end("generation", {"endgeneration"}));
      NATSCOPE_CHECK(end_of_tag());
      return Group{std::move(inside)};
    }
    return at_line(line, make_error(ErrorCode::unsupported_tokenizer, "a tag {% " + printable(word, 40) + " %}"));
  }

  Expected<decltype(Statement::node)> if_statement() {
    If node;
    for (;;) {
      NATSCOPE_TRY(ExpressionPtr condition, parse_tuple(tokens_, false));
      NATSCOPE_CHECK(end_of_tag());
      NATSCOPE_TRY(Block inside, body({"elif", "else", "endif"}));
      node.branches.emplace_back(std::move(condition), std::move(inside));
      NATSCOPE_TRY(const std::string word, take_end("if", {"elif", "else", "endif"}));
      if (word == "elif") continue;
      NATSCOPE_CHECK(end_of_tag());
      if (word == "endif") return node;
      NATSCOPE_TRY(node.otherwise, body({"endif"}));
      NATSCOPE_CHECK(take_end("if", {"endif"}));
      NATSCOPE_CHECK(end_of_tag());
      return node;
    }
  }

  /// Names with commas between them, in brackets or not.
  Expected<std::vector<std::string>> targets() {
    std::vector<std::string> names;
    const bool in_brackets = tokens_.skip_symbol("(");
    do {
      NATSCOPE_TRY(std::string name, tokens_.expect_name());
      names.push_back(std::move(name));
    } while (tokens_.skip_symbol(","));
    if (in_brackets) NATSCOPE_CHECK(tokens_.expect_symbol(")"));
    return names;
  }

  Expected<decltype(Statement::node)> for_statement() {
    For node;
    NATSCOPE_TRY(node.targets, targets());
    if (!tokens_.skip_name("in")) return tokens_.unexpected("“in”");
    NATSCOPE_TRY(node.items, parse_tuple(tokens_, false));
    if (tokens_.skip_name("if")) {
      NATSCOPE_TRY(node.condition, parse_expression(tokens_));
    }
    if (tokens_.is_name("recursive"))
      return at_line(tokens_.now().line, make_error(ErrorCode::unsupported_tokenizer, "a recursive loop"));
    NATSCOPE_CHECK(end_of_tag());
    ++loops_;
    NATSCOPE_TRY(node.body, body({"else", "endfor"}));
    --loops_;
    NATSCOPE_TRY(const std::string word, take_end("for", {"else", "endfor"}));
    NATSCOPE_CHECK(end_of_tag());
    if (word == "else") {
      NATSCOPE_TRY(node.otherwise, body({"endfor"}));
      NATSCOPE_CHECK(take_end("for", {"endfor"}));
      NATSCOPE_CHECK(end_of_tag());
    }
    return node;
  }

  Expected<decltype(Statement::node)> set_statement() {
    Set node;
    const int line = tokens_.now().line;
    NATSCOPE_TRY(node.targets, targets());
    if (node.targets.size() == 1 && tokens_.skip_symbol(".")) {
      NATSCOPE_TRY(node.member, tokens_.expect_name());
    }
    if (tokens_.skip_symbol("=")) {
      NATSCOPE_TRY(node.value, parse_tuple(tokens_));
      NATSCOPE_CHECK(end_of_tag());
      return node;
    }
    if (node.targets.size() != 1 || !node.member.empty()) return tokens_.unexpected("“=”");
    if (tokens_.is_symbol("|"))
      return at_line(line, make_error(ErrorCode::unsupported_tokenizer, "a set block with a filter"));
    NATSCOPE_CHECK(end_of_tag());
    SetBlock block{std::move(node.targets.front()), {}};
    NATSCOPE_TRY(block.body, body_of_its_own("endset"));
    NATSCOPE_CHECK(take_end("set", {"endset"}));
    NATSCOPE_CHECK(end_of_tag());
    return block;
  }

  Expected<decltype(Statement::node)> macro_statement() {
    Macro node;
    NATSCOPE_TRY(node.name, tokens_.expect_name());
    NATSCOPE_CHECK(tokens_.expect_symbol("("));
    while (!tokens_.skip_symbol(")")) {
      if (!node.parameters.empty()) NATSCOPE_CHECK(tokens_.expect_symbol(","));
      MacroParameter parameter;
      NATSCOPE_TRY(parameter.name, tokens_.expect_name());
      if (tokens_.skip_symbol("=")) {
        NATSCOPE_TRY(parameter.otherwise, parse_expression(tokens_));
      } else if (!node.parameters.empty() && node.parameters.back().otherwise) {
        return wrong("a parameter without a default behind one that has one");
      }
      node.parameters.push_back(std::move(parameter));
    }
    NATSCOPE_CHECK(end_of_tag());
    NATSCOPE_TRY(node.body, body_of_its_own("endmacro"));
    NATSCOPE_CHECK(take_end("macro", {"endmacro"}));
    NATSCOPE_CHECK(end_of_tag());
    return node;
  }

  TokenCursor tokens_;
  int nested_ = 0;
  int loops_ = 0;  // round what is being parsed
};

}  // namespace

Expected<Block> parse_template(std::string_view source) {
  NATSCOPE_TRY(auto tokens, read_tokens(source));
  return StatementParser(std::move(tokens)).all();
}

}  // namespace natscope::jinja
