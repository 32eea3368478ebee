// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/unicode_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/tokenizer/huggingface/newer_characters.h"

namespace natscope {
namespace {

constexpr std::size_t longest_pattern = 16 * 1024;
/// Steps of one search, tried in turn: the first are free (SearchSteps), and a pattern that wants more than the last is
/// made to hang programs, or fit for it.
constexpr auto step_limits = std::to_array<std::uint32_t>({1000, 30'000, 1'000'000, 10'000'000});
/// Memory of one search.
constexpr std::uint32_t heap_kib = 64 * 1024;

std::string text_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// What `\s`, `\S` and `\w` are to Oniguruma, inside a class. PCRE2's take U+180E for a blank, and few marks for words.
constexpr std::string_view blanks = R"(\t-\r\x{85}\p{Z})";
constexpr std::string_view no_blanks =
    R"(\x{0}-\x{8}\x{E}-\x{1F}!-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E})"
    R"(\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
constexpr std::string_view more_of_words =
    R"(\p{Pc}\p{Nl}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";

std::string property(std::string_view name) { return "\\p{" + std::string(name) + "}" + newer_characters_of(name); }

std::string of_words() { return property("L") + property("M") + property("Nd") + std::string(more_of_words); }

/// A pattern of Oniguruma's for PCRE2, or the part of it that would be read otherwise.
class Translation {
 public:
  explicit Translation(std::string_view pattern) : rest_(pattern) {
    while (!rest_.empty() && unlike.empty()) {
      if (rest_[0] == '\\') {
        escape();
      } else if (in_class_) {
        inside_class();
      } else {
        outside();
      }
    }
  }

  std::string text;
  std::string_view unlike;  ///< empty: nothing

 private:
  [[nodiscard]] char at(std::size_t i) const { return i < rest_.size() ? rest_[i] : '\0'; }

  void copy(std::size_t bytes) {
    text += rest_.substr(0, bytes);
    rest_.remove_prefix(std::min(bytes, rest_.size()));
  }

  /// `members` of a class, in place of the next `bytes`.
  void members(std::size_t bytes, std::string_view members, bool negated = false) {
    text += in_class_ ? std::string(members) : (negated ? "[^" : "[") + std::string(members) + "]";
    rest_.remove_prefix(bytes);
  }

  void refuse(std::size_t bytes) { unlike = rest_.substr(0, bytes); }

  void escape() {
    const char c = at(1);
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == 's') return members(2, blanks);
    if (c == 'S') return in_class_ ? members(2, no_blanks) : members(2, blanks, true);
    if (c == 'd') return members(2, property("Nd"));
    if (c == 'D') return in_class_ ? refuse(2) : members(2, property("Nd"), true);
    if (c == 'w') return members(2, of_words());
    if (c == 'W') return in_class_ ? refuse(2) : members(2, of_words(), true);
    if ((c == 'p' || c == 'P') && at(2) == '{') return braced();
    if (is_letter && std::string_view("rntfx").find(c) == std::string_view::npos) return refuse(2);
    // The braces of \x{…} are no counts.
    const std::size_t end = c == 'x' && at(2) == '{' ? rest_.find('}') : 1;
    copy(end == std::string_view::npos ? rest_.size() : end + 1);
  }

  /// \p{…}, \P{…}
  void braced() {
    const std::size_t end = rest_.find('}');
    if (end == std::string_view::npos) return copy(rest_.size());
    std::string_view name = rest_.substr(3, end - 3);
    bool negated = at(1) == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    // What a class has besides cannot be taken out of it again.
    if (in_class_ && negated) return copy(end + 1);
    members(end + 1, property(name), negated);
  }

  void inside_class() {
    if (at(0) == '[' || (at(0) == '&' && at(1) == '&')) return refuse(2);
    in_class_ = at(0) != ']';
    copy(1);
  }

  void outside() {
    const char c = at(0);
    if (c == '[') {
      in_class_ = true;
      std::size_t bytes = at(1) == '^' ? 2 : 1;
      if (at(bytes) == ']') ++bytes;
      return copy(bytes);
    }
    if (c == '}' && (at(1) == '+' || at(1) == '?')) return refuse(2);
    if (c == '(' && at(1) == '?') return group();
    copy(1);
  }

  /// Options are other letters there ("m" makes dots match line ends), or reach less far.
  void group() {
    constexpr auto known = std::to_array<std::string_view>({"(?:", "(?=", "(?!", "(?>", "(?<", "(?i:", "(?-i:"});
    for (const std::string_view begin : known) {
      if (rest_.starts_with(begin)) return copy(begin.size());
    }
    if (text.empty() && rest_.starts_with("(?i)")) return copy(4);
    refuse(3);
  }

  std::string_view rest_;
  bool in_class_ = false;
};

}  // namespace

struct UnicodePattern::Code {
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  };
  std::unique_ptr<pcre2_code, Free> code;
  std::array<std::unique_ptr<pcre2_match_context, Free>, step_limits.size()> limits;
};

Expected<UnicodePattern> UnicodePattern::compile(std::string_view pattern) {
  if (pattern.size() > longest_pattern) return fail(ErrorCode::bad_tokenizer, "a pattern of more than 16 kB");
  const Translation translation(pattern);
  if (!translation.unlike.empty()) {
    return fail(ErrorCode::unsupported_tokenizer, "the pattern " + printable(pattern) + " has " +
                                                      printable(translation.unlike) +
                                                      ", which is not read as its library would");
  }
  int code = 0;
  PCRE2_SIZE at = 0;
  auto compiled = std::make_shared<Code>();
  const std::unique_ptr<pcre2_compile_context, Code::Free> lines(pcre2_compile_context_create(nullptr));
  if (!lines) return fail(ErrorCode::out_of_memory, "no memory for a pattern");
  // There, ^ and $ stand at the beginning and end of every line, and a line ends with "\n" alone.
  pcre2_set_newline(lines.get(), PCRE2_NEWLINE_LF);
  const std::string& text = translation.text;
  compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_MULTILINE, &code, &at,
                                     lines.get()));
  if (!compiled->code) {
    // 147: a property that PCRE2 does not know, and Oniguruma may.
    const bool may_be_fine = code == 147;
    return fail(may_be_fine ? ErrorCode::unsupported_tokenizer : ErrorCode::bad_tokenizer,
                "the pattern " + printable(pattern) + ": " + text_of(code));
  }
  for (std::size_t i = 0; i < step_limits.size(); ++i) {
    compiled->limits[i].reset(pcre2_match_context_create(nullptr));
    if (!compiled->limits[i]) return fail(ErrorCode::out_of_memory, "no memory for a pattern");
    pcre2_set_match_limit(compiled->limits[i].get(), step_limits[i]);
    pcre2_set_heap_limit(compiled->limits[i].get(), heap_kib);
  }
  UnicodePattern made;
  made.code_ = std::move(compiled);
  return made;
}

Expected<bool> UnicodePattern::find(std::string_view text, std::size_t from, SearchSteps& steps,
                                    TextSpan& match) const {
  // One a thread: making it costs more than most searches.
  struct FreeData {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  thread_local const std::unique_ptr<pcre2_match_data, FreeData> data(pcre2_match_data_create(1, nullptr));
  if (!data) return fail(ErrorCode::out_of_memory, "no memory to tokenize the text");
  int found = PCRE2_ERROR_MATCHLIMIT;
  for (std::size_t i = 0; i < step_limits.size() && found == PCRE2_ERROR_MATCHLIMIT; ++i) {
    if (i > 0 && !steps.take(step_limits[i])) break;
    found = pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                        PCRE2_NO_UTF_CHECK, data.get(), code_->limits[i].get());
  }
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found == PCRE2_ERROR_NOMEMORY) return fail(ErrorCode::out_of_memory, "no memory to tokenize the text");
  if (found < 0) {
    return fail(ErrorCode::bad_text, "the tokenizer's pattern cannot be applied to the text: " + text_of(found),
                "give a text without words as long, or check the pattern in tokenizer.json");
  }
  const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(data.get());
  match = {ends[0], ends[1]};
  return true;
}

}  // namespace natscope
