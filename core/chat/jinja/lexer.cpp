// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/base/utf8.h"
#include "core/chat/jinja/text.h"

namespace natscope::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

/// Jinja reads every kind of line break as \n, and not the one at the very end.
std::string with_plain_breaks(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
      continue;
    }
    text += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_plain_breaks(source)), rest_(source_) {}

  Expected<std::vector<Token>> read() {
    while (!rest_.empty()) {
      const std::size_t tag = next_tag();
      if (tag == std::string_view::npos) {
        add_text(rest_);
        advance(rest_.size());
        break;
      }
      const char kind = rest_[tag + 1];
      const char mark = tag + 2 < rest_.size() ? rest_[tag + 2] : '\0';
      add_text(before_tag(rest_.substr(0, tag), kind, mark));
      advance(tag);
      const int line = line_;
      advance(2);
      if (mark == '-' || mark == '+') advance(1);
      if (kind == '#') {
        NATSCOPE_CHECK(skip_comment(line));
        continue;
      }
      if (kind == '%' && opens_raw()) {
        NATSCOPE_CHECK(read_raw(line));
        continue;
      }
      tokens_.push_back({kind == '%' ? TokenKind::block_begin : TokenKind::variable_begin, {}, {}, line});
      NATSCOPE_CHECK(read_tag(kind == '%' ? "%}" : "}}", line));
    }
    tokens_.push_back({TokenKind::end, {}, {}, line_});
    return std::move(tokens_);
  }

 private:
  Unexpected wrong(int line, std::string message) const {
    return at_line(line, make_error(ErrorCode::bad_tokenizer, std::move(message)));
  }

  void advance(std::size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    line_ += static_cast<int>(std::count(taken.begin(), taken.end(), '\n'));
    if (!taken.empty()) begins_line_ = taken.back() == '\n';
    rest_.remove_prefix(bytes);
  }

  [[nodiscard]] std::size_t next_tag() const {
    for (std::size_t at = rest_.find('{'); at != std::string_view::npos; at = rest_.find('{', at + 1)) {
      if (at + 1 < rest_.size() && std::string_view("%{#").find(rest_[at + 1]) != std::string_view::npos) return at;
    }
    return std::string_view::npos;
  }

  /// What a tag leaves of the text in front of it.
  [[nodiscard]] std::string_view before_tag(std::string_view text, char kind, char mark) const {
    if (mark == '-') return stripped(text, {}, Sides::right);
    if (mark == '+' || kind == '{') return text;
    const std::size_t line_break = text.rfind('\n');
    if (line_break == std::string_view::npos && !begins_line_) return text;
    const std::size_t line = line_break == std::string_view::npos ? 0 : line_break + 1;
    return stripped(text.substr(line), {}, Sides::both).empty() ? text.substr(0, line) : text;
  }

  void add_text(std::string_view text) {
    if (!text.empty()) tokens_.push_back({TokenKind::text, std::string(text), {}, line_});
  }

  void skip_white_space() { advance(rest_.size() - stripped(rest_, {}, Sides::left).size()); }

  /// Behind a tag's end: what `mark`, the character in front of that end, takes away there.
  void end_tag(char mark, bool trims_break) {
    if (mark == '-') {
      skip_white_space();
    } else if (mark != '+' && trims_break && !rest_.empty() && rest_.front() == '\n') {
      advance(1);
    }
  }

  Expected<void> skip_comment(int line) {
    const std::size_t end = rest_.find("#}");
    if (end == std::string_view::npos) return wrong(line, "a comment that does not end");
    const char mark = end > 0 ? rest_[end - 1] : '\0';
    advance(end + 2);
    end_tag(mark, true);
    return {};
  }

  /// The length of `{% word %}` without its beginning, where it stands here; and the mark in front of its end.
  [[nodiscard]] std::optional<std::size_t> tag_of(std::string_view text, std::string_view word, char& mark) const {
    std::size_t at = 0;
    const auto skip_blanks = [&] {
      while (at < text.size() && is_blank(text[at])) ++at;
    };
    skip_blanks();
    if (text.substr(at, word.size()) != word) return {};
    at += word.size();
    skip_blanks();
    mark = at < text.size() ? text[at] : '\0';
    if (mark == '-' || mark == '+') ++at;
    if (text.substr(at, 2) != "%}") return {};
    return at + 2;
  }

  [[nodiscard]] bool opens_raw() const {
    char mark = '\0';
    return tag_of(rest_, "raw", mark).has_value();
  }

  Expected<void> read_raw(int line) {
    char mark = '\0';
    advance(*tag_of(rest_, "raw", mark));
    if (mark == '+') return wrong(line, "{% raw +%}");
    end_tag(mark, false);
    for (std::size_t at = rest_.find("{%"); at != std::string_view::npos; at = rest_.find("{%", at + 1)) {
      const char begins = at + 2 < rest_.size() ? rest_[at + 2] : '\0';
      const std::size_t name = at + (begins == '-' || begins == '+' ? 3 : 2);
      const auto length = tag_of(rest_.substr(name), "endraw", mark);
      if (!length) continue;
      add_text(before_tag(rest_.substr(0, at), '%', begins));
      advance(name + *length);
      end_tag(mark, true);
      return {};
    }
    return wrong(line, "a raw block that does not end");
  }

  /// The tokens up to and with a tag's end.
  Expected<void> read_tag(std::string_view end, int begun) {
    std::string open;  // brackets, each as what closes it
    for (;;) {
      while (!rest_.empty() && is_blank(rest_.front())) advance(1);
      if (rest_.empty()) return wrong(begun, "a tag that does not end");
      if (open.empty()) {
        const char mark = rest_.front();
        const std::size_t at = mark == '-' || (mark == '+' && end == "%}") ? 1 : 0;
        if (rest_.substr(at, 2) == end) {
          tokens_.push_back({end == "%}" ? TokenKind::block_end : TokenKind::variable_end, {}, {}, line_});
          advance(at + 2);
          end_tag(at > 0 ? mark : '\0', end == "%}");
          return {};
        }
      }
      NATSCOPE_CHECK(read_token(open));
    }
  }

  Expected<void> read_token(std::string& open) {
    const char first = rest_.front();
    if (is_digit(first)) return read_number();
    if (first == '\'' || first == '"') return read_string();
    if (begins_name(first)) {
      std::size_t length = 1;
      while (length < rest_.size() && (begins_name(rest_[length]) || is_digit(rest_[length]))) ++length;
      return add(TokenKind::name, length);
    }
    constexpr std::array<std::string_view, 6> pairs{"==", "!=", "<=", ">=", "//", "**"};
    for (const std::string_view pair : pairs) {
      if (rest_.starts_with(pair)) return add(TokenKind::symbol, 2);
    }
    constexpr std::string_view singles = "+-*/%~<>=|.,:()[]{}";
    if (singles.find(first) == std::string_view::npos)
      return wrong(line_, "“" + printable(rest_.substr(0, std::max<std::size_t>(1, utf8_character_length(rest_)))) +
                              "” in a tag");
    if (first == '(') open += ')';
    if (first == '[') open += ']';
    if (first == '{') open += '}';
    if (first == ')' || first == ']' || first == '}') {
      if (open.empty() || open.back() != first) return wrong(line_, std::string("“") + first + "” closes nothing");
      open.pop_back();
    }
    return add(TokenKind::symbol, 1);
  }

  Expected<void> add(TokenKind kind, std::size_t length) {
    tokens_.push_back({kind, std::string(rest_.substr(0, length)), {}, line_});
    advance(length);
    return {};
  }

  Expected<void> read_number() {
    std::size_t length = 0;
    const auto skip_digits = [&] {
      while (length < rest_.size() && (is_digit(rest_[length]) || rest_[length] == '_')) ++length;
    };
    skip_digits();
    bool is_whole = true;
    if (length + 1 < rest_.size() && rest_[length] == '.' && is_digit(rest_[length + 1])) {
      is_whole = false;
      ++length;
      skip_digits();
    }
    if (length < rest_.size() && (begins_name(rest_[length]) || is_digit(rest_[length])))
      return at_line(line_, make_error(ErrorCode::unsupported_tokenizer,
                                       "a number like “" + printable(rest_.substr(0, length + 1)) + "”"));
    std::string digits(rest_.substr(0, length));
    std::erase(digits, '_');
    Value number;
    if (is_whole) {
      std::int64_t whole = 0;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), whole).ec != std::errc())
        return wrong(line_, "a number that is too large");
      number = Value(whole);
    } else {
      double real = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), real);
      number = Value(real);
    }
    tokens_.push_back({is_whole ? TokenKind::integer : TokenKind::real, {}, std::move(number), line_});
    advance(length);
    return {};
  }

  Expected<void> read_string() {
    const int line = line_;
    const char quote = rest_.front();
    std::string text;
    std::size_t at = 1;
    while (at < rest_.size() && rest_[at] != quote) {
      if (rest_[at] == '\\' && at + 1 < rest_.size()) {
        NATSCOPE_TRY(const std::size_t length, read_escape(rest_.substr(at), text));
        at += length;
      } else {
        text += rest_[at++];
      }
    }
    if (at >= rest_.size()) return wrong(line, "a text that does not end");
    advance(at + 1);
    tokens_.push_back({TokenKind::string, std::move(text), {}, line});
    return {};
  }

  /// What begins with a backslash, as Python reads it; its length.
  Expected<std::size_t> read_escape(std::string_view written, std::string& text) const {
    constexpr std::string_view letters = "abfnrtv\\'\"";
    constexpr std::string_view meant = "\a\b\f\n\r\t\v\\'\"";
    const char letter = written[1];
    if (const std::size_t place = letters.find(letter); place != std::string_view::npos) {
      text += meant[place];
      return 2;
    }
    if (letter == '\n') return 2;
    const std::size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (digits == 0) {
      if (is_digit(letter) || letter == 'N' || static_cast<unsigned char>(letter) >= 0x80)
        return at_line(line_, make_error(ErrorCode::unsupported_tokenizer,
                                         "an escape of a digit, a name or a letter beyond ASCII"));
      text += '\\';
      return 1;
    }
    std::uint32_t code = 0;
    const std::string_view hex = written.substr(2, digits);
    const auto [end, problem] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (problem != std::errc() || end != hex.data() + digits || !append_character(text, code))
      return wrong(line_, "an escape that is not a character");
    return 2 + digits;
  }

  std::string source_;
  std::string_view rest_;
  int line_ = 1;
  bool begins_line_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

Expected<std::vector<Token>> read_tokens(std::string_view source) { return Lexer(source).read(); }

Unexpected at_line(int line, Error error) {
  if (!error.message.starts_with("line ")) error.message = "line " + std::to_string(line) + ": " + error.message;
  return Unexpected(std::move(error));
}

}  // namespace natscope::jinja
