// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/expression_parser.h"

#include <algorithm>
#include <array>
#include <optional>

namespace natscope::jinja {
namespace {

constexpr int deepest = 200;

int depth_of(const ExpressionPtr& part) { return part ? part->depth : 0; }

template <class... Parts>
int depth_over(const Parts&... parts) {
  return 1 + std::max({0, depth_of(parts)...});
}

int depth_over(const ExpressionPtr& part, const std::vector<CallArgument>& arguments) {
  int depth = depth_over(part);
  for (const CallArgument& argument : arguments) depth = std::max(depth, depth_over(argument.value));
  return depth;
}

Expected<ExpressionPtr> made(decltype(Expression::node) node, int line, int depth) {
  if (depth > deepest) return at_line(line, make_error(ErrorCode::bad_tokenizer, "an expression nested too deeply"));
  return std::make_unique<const Expression>(Expression{std::move(node), line, depth});
}

/// Recursive descent, a function for each strength of binding, weakest first.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenCursor& tokens) : tokens_(tokens) {}

  Expected<ExpressionPtr> conditional(bool with_condition) {
    if (++nested_ > deepest) return tokens_.unexpected("less deep nesting");
    NATSCOPE_TRY(ExpressionPtr value, either());
    while (with_condition && tokens_.is_name("if")) {
      const int line = tokens_.take().line;
      NATSCOPE_TRY(ExpressionPtr condition, either());
      ExpressionPtr otherwise;
      if (tokens_.skip_name("else")) {
        NATSCOPE_TRY(otherwise, conditional(true));
      }
      const int depth = depth_over(value, condition, otherwise);
      NATSCOPE_TRY(value, made(Conditional{std::move(condition), std::move(value), std::move(otherwise)}, line, depth));
    }
    --nested_;
    return value;
  }

  Expected<ExpressionPtr> tuple(bool with_condition) {
    const int line = tokens_.now().line;
    NATSCOPE_TRY(ExpressionPtr first, conditional(with_condition));
    if (!tokens_.is_symbol(",")) return first;
    ListDisplay items;
    int depth = depth_over(first);
    items.items.push_back(std::move(first));
    while (tokens_.skip_symbol(",")) {
      if (!begins_expression()) break;
      NATSCOPE_TRY(ExpressionPtr item, conditional(with_condition));
      depth = std::max(depth, depth_over(item));
      items.items.push_back(std::move(item));
    }
    return made(std::move(items), line, depth);
  }

 private:
  using Level = Expected<ExpressionPtr> (ExpressionParser::*)();

  [[nodiscard]] bool begins_expression() const {
    if (tokens_.is(TokenKind::symbol))
      return std::string_view("([{+-").find(tokens_.now().text) != std::string_view::npos;
    return !tokens_.is(TokenKind::block_end) && !tokens_.is(TokenKind::variable_end) && !tokens_.is(TokenKind::end) &&
           !tokens_.is_name("in");
  }

  template <std::size_t count>
  Expected<ExpressionPtr> left_to_right(Level part,
                                        const std::array<std::pair<std::string_view, BinaryOperator>, count>& ops) {
    NATSCOPE_TRY(ExpressionPtr left, (this->*part)());
    for (;;) {
      const auto op = std::find_if(ops.begin(), ops.end(), [&](const auto& entry) {
        return tokens_.is_symbol(entry.first) || tokens_.is_name(entry.first);
      });
      if (op == ops.end()) return left;
      const int line = tokens_.take().line;
      NATSCOPE_TRY(ExpressionPtr right, (this->*part)());
      const int depth = depth_over(left, right);
      NATSCOPE_TRY(left, made(Binary{op->second, std::move(left), std::move(right)}, line, depth));
    }
  }

  Expected<ExpressionPtr> either() {
    constexpr std::array ops{std::pair{std::string_view("or"), BinaryOperator::either}};
    return left_to_right(&ExpressionParser::both, ops);
  }

  Expected<ExpressionPtr> both() {
    constexpr std::array ops{std::pair{std::string_view("and"), BinaryOperator::both}};
    return left_to_right(&ExpressionParser::negation, ops);
  }

  Expected<ExpressionPtr> negation() {
    if (!tokens_.is_name("not")) return comparison();
    if (++nested_ > deepest) return tokens_.unexpected("less deep nesting");
    const int line = tokens_.take().line;
    NATSCOPE_TRY(ExpressionPtr operand, negation());
    --nested_;
    const int depth = depth_over(operand);
    return made(Unary{UnaryOperator::logical_not, std::move(operand)}, line, depth);
  }

  std::optional<Comparator> take_comparator() {
    constexpr std::array symbols{
        std::pair{std::string_view("=="), Comparator::equal},
        std::pair{std::string_view("!="), Comparator::not_equal},
        std::pair{std::string_view("<"), Comparator::less},
        std::pair{std::string_view("<="), Comparator::less_or_equal},
        std::pair{std::string_view(">"), Comparator::greater},
        std::pair{std::string_view(">="), Comparator::greater_or_equal},
    };
    for (const auto& [symbol, comparator] : symbols) {
      if (tokens_.skip_symbol(symbol)) return comparator;
    }
    if (tokens_.skip_name("in")) return Comparator::in;
    if (tokens_.is_name("not") && tokens_.next().kind == TokenKind::name && tokens_.next().text == "in") {
      tokens_.take();
      tokens_.take();
      return Comparator::not_in;
    }
    return {};
  }

  Expected<ExpressionPtr> comparison() {
    const int line = tokens_.now().line;
    NATSCOPE_TRY(ExpressionPtr first, sum());
    Comparison chain;
    int depth = depth_over(first);
    while (const auto comparator = take_comparator()) {
      NATSCOPE_TRY(ExpressionPtr next, sum());
      depth = std::max(depth, depth_over(next));
      chain.rest.emplace_back(*comparator, std::move(next));
    }
    if (chain.rest.empty()) return first;
    chain.first = std::move(first);
    return made(std::move(chain), line, depth);
  }

  Expected<ExpressionPtr> sum() {
    constexpr std::array ops{std::pair{std::string_view("+"), BinaryOperator::add},
                             std::pair{std::string_view("-"), BinaryOperator::subtract}};
    return left_to_right(&ExpressionParser::joined, ops);
  }

  Expected<ExpressionPtr> joined() {
    constexpr std::array ops{std::pair{std::string_view("~"), BinaryOperator::concatenate}};
    return left_to_right(&ExpressionParser::product, ops);
  }

  Expected<ExpressionPtr> product() {
    constexpr std::array ops{std::pair{std::string_view("*"), BinaryOperator::multiply},
                             std::pair{std::string_view("/"), BinaryOperator::divide},
                             std::pair{std::string_view("//"), BinaryOperator::floor_divide},
                             std::pair{std::string_view("%"), BinaryOperator::remainder}};
    return left_to_right(&ExpressionParser::power, ops);
  }

  Expected<ExpressionPtr> power() {
    constexpr std::array ops{std::pair{std::string_view("**"), BinaryOperator::power}};
    return left_to_right(&ExpressionParser::filtered, ops);
  }

  Expected<ExpressionPtr> filtered() {
    NATSCOPE_TRY(ExpressionPtr value, signed_value());
    return with_filters(std::move(value));
  }

  Expected<ExpressionPtr> signed_value() {
    const bool is_minus = tokens_.is_symbol("-");
    if (!is_minus && !tokens_.is_symbol("+")) {
      NATSCOPE_TRY(ExpressionPtr value, primary());
      return with_members(std::move(value));
    }
    if (++nested_ > deepest) return tokens_.unexpected("less deep nesting");
    const int line = tokens_.take().line;
    NATSCOPE_TRY(ExpressionPtr operand, signed_value());
    --nested_;
    const int depth = depth_over(operand);
    return made(Unary{is_minus ? UnaryOperator::negate : UnaryOperator::plus, std::move(operand)}, line, depth);
  }

  Expected<ExpressionPtr> primary() {
    const int line = tokens_.now().line;
    switch (tokens_.now().kind) {
      case TokenKind::name:
        return named(tokens_.take());
      case TokenKind::string: {
        std::string text = tokens_.take().text;
        while (tokens_.is(TokenKind::string)) text += tokens_.take().text;
        return made(Literal{Value(std::move(text))}, line, 1);
      }
      case TokenKind::integer:
      case TokenKind::real:
        return made(Literal{tokens_.take().number}, line, 1);
      default:
        break;
    }
    if (tokens_.skip_symbol("(")) {
      if (tokens_.skip_symbol(")")) return made(ListDisplay{}, line, 1);
      NATSCOPE_TRY(ExpressionPtr value, tuple(true));
      NATSCOPE_CHECK(tokens_.expect_symbol(")"));
      return value;
    }
    if (tokens_.skip_symbol("[")) return list_display(line);
    if (tokens_.skip_symbol("{")) return mapping_display(line);
    return tokens_.unexpected("a value");
  }

  static Expected<ExpressionPtr> named(const Token& token) {
    if (token.text == "true" || token.text == "True") return made(Literal{Value(true)}, token.line, 1);
    if (token.text == "false" || token.text == "False") return made(Literal{Value(false)}, token.line, 1);
    if (token.text == "none" || token.text == "None") return made(Literal{Value()}, token.line, 1);
    return made(Name{token.text}, token.line, 1);
  }

  Expected<ExpressionPtr> list_display(int line) {
    ListDisplay list;
    int depth = 1;
    while (!tokens_.skip_symbol("]")) {
      if (!list.items.empty()) {
        NATSCOPE_CHECK(tokens_.expect_symbol(","));
        if (tokens_.skip_symbol("]")) break;
      }
      NATSCOPE_TRY(ExpressionPtr item, conditional(true));
      depth = std::max(depth, depth_over(item));
      list.items.push_back(std::move(item));
    }
    return made(std::move(list), line, depth);
  }

  Expected<ExpressionPtr> mapping_display(int line) {
    MappingDisplay mapping;
    int depth = 1;
    while (!tokens_.skip_symbol("}")) {
      if (!mapping.entries.empty()) {
        NATSCOPE_CHECK(tokens_.expect_symbol(","));
        if (tokens_.skip_symbol("}")) break;
      }
      NATSCOPE_TRY(ExpressionPtr key, conditional(true));
      NATSCOPE_CHECK(tokens_.expect_symbol(":"));
      NATSCOPE_TRY(ExpressionPtr value, conditional(true));
      depth = std::max(depth, depth_over(key, value));
      mapping.entries.emplace_back(std::move(key), std::move(value));
    }
    return made(std::move(mapping), line, depth);
  }

  Expected<std::vector<CallArgument>> arguments() {
    std::vector<CallArgument> arguments;
    NATSCOPE_CHECK(tokens_.expect_symbol("("));
    while (!tokens_.skip_symbol(")")) {
      if (!arguments.empty()) {
        NATSCOPE_CHECK(tokens_.expect_symbol(","));
        if (tokens_.skip_symbol(")")) break;
      }
      CallArgument argument;
      const Token& after = tokens_.next();
      if (tokens_.is(TokenKind::name) && after.kind == TokenKind::symbol && after.text == "=") {
        argument.name = tokens_.take().text;
        tokens_.take();
      } else if (!arguments.empty() && !arguments.back().name.empty()) {
        return tokens_.unexpected("an argument with a name");
      }
      NATSCOPE_TRY(argument.value, conditional(true));
      arguments.push_back(std::move(argument));
    }
    return arguments;
  }

  /// .name, [index] and (arguments) behind a value.
  Expected<ExpressionPtr> with_members(ExpressionPtr value) {
    for (;;) {
      const int line = tokens_.now().line;
      if (tokens_.skip_symbol(".")) {
        const int depth = depth_over(value);
        if (tokens_.is(TokenKind::integer)) {
          NATSCOPE_TRY(ExpressionPtr index, made(Literal{tokens_.take().number}, line, 1));
          NATSCOPE_TRY(value, made(Subscript{std::move(value), std::move(index)}, line, depth));
          continue;
        }
        NATSCOPE_TRY(std::string name, tokens_.expect_name());
        NATSCOPE_TRY(value, made(Attribute{std::move(value), std::move(name)}, line, depth));
      } else if (tokens_.skip_symbol("[")) {
        NATSCOPE_TRY(value, subscript(std::move(value), line));
      } else if (tokens_.is_symbol("(")) {
        NATSCOPE_TRY(value, call(std::move(value), line));
      } else {
        return value;
      }
    }
  }

  Expected<ExpressionPtr> call(ExpressionPtr callee, int line) {
    NATSCOPE_TRY(auto given, arguments());
    const int depth = depth_over(callee, given);
    return made(Call{std::move(callee), std::move(given)}, line, depth);
  }

  Expected<ExpressionPtr> subscript(ExpressionPtr of, int line) {
    std::array<ExpressionPtr, 3> parts;
    std::size_t part = 0;
    bool is_slice = false;
    while (!tokens_.is_symbol("]")) {
      if (tokens_.skip_symbol(":")) {
        is_slice = true;
        if (++part == parts.size()) return tokens_.unexpected("“]”");
        continue;
      }
      if (parts[part]) return tokens_.unexpected("“]”");
      NATSCOPE_TRY(parts[part], conditional(true));
    }
    if (!is_slice && !parts[0]) return tokens_.unexpected("an index");
    NATSCOPE_CHECK(tokens_.expect_symbol("]"));
    const int depth = depth_over(of, parts[0], parts[1], parts[2]);
    if (!is_slice) return made(Subscript{std::move(of), std::move(parts[0])}, line, depth);
    return made(Slice{std::move(of), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])}, line, depth);
  }

  /// | filter, `is` test and (arguments) behind a value.
  Expected<ExpressionPtr> with_filters(ExpressionPtr value) {
    for (;;) {
      const int line = tokens_.now().line;
      if (tokens_.skip_symbol("|")) {
        NATSCOPE_TRY(std::string name, tokens_.expect_name());
        std::vector<CallArgument> given;
        if (tokens_.is_symbol("(")) {
          NATSCOPE_TRY(given, arguments());
        }
        const int depth = depth_over(value, given);
        NATSCOPE_TRY(value, made(Filter{std::move(value), std::move(name), std::move(given)}, line, depth));
      } else if (tokens_.skip_name("is")) {
        NATSCOPE_TRY(value, test(std::move(value), line));
      } else if (tokens_.is_symbol("(")) {
        NATSCOPE_TRY(value, call(std::move(value), line));
      } else {
        return value;
      }
    }
  }

  Expected<ExpressionPtr> test(ExpressionPtr of, int line) {
    const bool is_negated = tokens_.skip_name("not");
    NATSCOPE_TRY(std::string name, tokens_.expect_name());
    std::vector<CallArgument> given;
    if (tokens_.is_symbol("(")) {
      NATSCOPE_TRY(given, arguments());
    } else if (tokens_.is_name("is")) {
      return tokens_.unexpected("the end of a test");
    } else if (takes_operand()) {
      NATSCOPE_TRY(ExpressionPtr operand, primary());
      NATSCOPE_TRY(operand, with_members(std::move(operand)));
      given.push_back({{}, std::move(operand)});
    }
    const int depth = depth_over(of, given);
    NATSCOPE_TRY(ExpressionPtr value, made(Test{std::move(of), std::move(name), std::move(given)}, line, depth));
    if (!is_negated) return value;
    return made(Unary{UnaryOperator::logical_not, std::move(value)}, line, depth + 1);
  }

  /// Whether what follows a test's name is its operand: `x is divisibleby 3`.
  [[nodiscard]] bool takes_operand() const {
    if (tokens_.is(TokenKind::symbol)) return tokens_.is_symbol("[") || tokens_.is_symbol("{");
    if (tokens_.is(TokenKind::name)) {
      constexpr std::array<std::string_view, 3> words{"else", "or", "and"};
      return std::find(words.begin(), words.end(), tokens_.now().text) == words.end();
    }
    return tokens_.is(TokenKind::string) || tokens_.is(TokenKind::integer) || tokens_.is(TokenKind::real);
  }

  TokenCursor& tokens_;
  int nested_ = 0;
};

}  // namespace

Token TokenCursor::take() {
  Token token = now();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool TokenCursor::skip_symbol(std::string_view symbol) {
  const bool is_here = is_symbol(symbol);
  if (is_here) take();
  return is_here;
}

bool TokenCursor::skip_name(std::string_view name) {
  const bool is_here = is_name(name);
  if (is_here) take();
  return is_here;
}

Expected<void> TokenCursor::expect_symbol(std::string_view symbol) {
  if (!skip_symbol(symbol)) return unexpected("“" + std::string(symbol) + "”");
  return {};
}

Expected<std::string> TokenCursor::expect_name() {
  if (!is(TokenKind::name)) return unexpected("a name");
  return take().text;
}

Expected<void> TokenCursor::expect(TokenKind kind, std::string_view what) {
  if (!is(kind)) return unexpected(what);
  take();
  return {};
}

Unexpected TokenCursor::unexpected(std::string_view wanted) const {
  std::string here = "the end";
  switch (now().kind) {
    case TokenKind::name:
    case TokenKind::symbol:
      here = "“" + printable(now().text, 40) + "”";
      break;
    case TokenKind::string:
    case TokenKind::text:
      here = "a text";
      break;
    case TokenKind::integer:
    case TokenKind::real:
      here = "a number";
      break;
    case TokenKind::block_begin:
    case TokenKind::variable_begin:
      here = "another tag";
      break;
    case TokenKind::block_end:
    case TokenKind::variable_end:
      here = "the tag's end";
      break;
    case TokenKind::end:
      break;
  }
  return at_line(now().line,
                 make_error(ErrorCode::bad_tokenizer, here + " where " + std::string(wanted) + " was expected"));
}

Expected<ExpressionPtr> parse_expression(TokenCursor& tokens, bool with_condition) {
  return ExpressionParser(tokens).conditional(with_condition);
}

Expected<ExpressionPtr> parse_tuple(TokenCursor& tokens, bool with_condition) {
  return ExpressionParser(tokens).tuple(with_condition);
}

}  // namespace natscope::jinja
