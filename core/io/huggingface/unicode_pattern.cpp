// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/huggingface/unicode_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace natscope {
namespace {

constexpr std::size_t longest_pattern = 16 * 1024;
/// Steps and memory of one search: a pattern that wants more is made to hang programs, or fit for it.
constexpr std::uint32_t most_steps = 10'000'000;
constexpr std::uint32_t heap_kib = 64 * 1024;

std::string text_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// What Oniguruma reads otherwise than PCRE2 does; empty: nothing.
std::string_view unlike(std::string_view pattern) {
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (c == '\\') {
      const bool is_letter =
          (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || (next >= '0' && next <= '9');
      if (is_letter && std::string_view("pPsSdDwWrntfx").find(next) == std::string_view::npos)
        return pattern.substr(i, 2);
      ++i;
      // The braces of \p{…} and \x{…} are no counts.
      if (i + 1 < pattern.size() && pattern[i + 1] == '{') i = std::min(pattern.find('}', i), pattern.size());
    } else if (in_class) {
      if (c == '[' || (c == '&' && next == '&')) return pattern.substr(i, 2);
      if (c == ']') in_class = false;
    } else if (c == '[') {
      in_class = true;
      if (next == '^') ++i;
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') ++i;
    } else if (c == '^' || c == '$' || c == '.') {
      return pattern.substr(i, 1);
    } else if (c == '}' && (next == '+' || next == '?')) {
      return pattern.substr(i, 2);
    }
  }
  return {};
}

}  // namespace

struct UnicodePattern::Code {
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  };
  std::unique_ptr<pcre2_code, Free> code;
  std::unique_ptr<pcre2_match_context, Free> limits;
};

Expected<UnicodePattern> UnicodePattern::compile(std::string_view pattern) {
  if (pattern.size() > longest_pattern) return fail(ErrorCode::bad_tokenizer, "a pattern of more than 16 kB");
  if (const std::string_view part = unlike(pattern); !part.empty()) {
    return fail(ErrorCode::unsupported_tokenizer, "the pattern " + printable(pattern) + " has " + printable(part) +
                                                      ", which is not read as its library would");
  }
  int code = 0;
  PCRE2_SIZE at = 0;
  auto compiled = std::make_shared<Code>();
  compiled->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &at, nullptr));
  if (!compiled->code) {
    return fail(ErrorCode::bad_tokenizer,
                "the pattern " + printable(pattern) + ", at byte " + std::to_string(at) + ": " + text_of(code));
  }
  compiled->limits.reset(pcre2_match_context_create(nullptr));
  if (!compiled->limits) return fail(ErrorCode::out_of_memory, "no memory for a pattern");
  pcre2_set_match_limit(compiled->limits.get(), most_steps);
  pcre2_set_heap_limit(compiled->limits.get(), heap_kib);
  UnicodePattern made;
  made.code_ = std::move(compiled);
  return made;
}

Expected<bool> UnicodePattern::find(std::string_view text, std::size_t from, TextSpan& match) const {
  // One a thread: making it costs more than most searches.
  struct FreeData {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  thread_local const std::unique_ptr<pcre2_match_data, FreeData> data(pcre2_match_data_create(1, nullptr));
  if (!data) return fail(ErrorCode::out_of_memory, "no memory to tokenize the text");
  const int found = pcre2_match(code_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                PCRE2_NO_UTF_CHECK, data.get(), code_->limits.get());
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found == PCRE2_ERROR_NOMEMORY) return fail(ErrorCode::out_of_memory, "no memory to tokenize the text");
  if (found < 0)
    return fail(ErrorCode::bad_text, "the tokenizer's pattern cannot be applied to the text: " + text_of(found));
  const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(data.get());
  match = {ends[0], ends[1]};
  return true;
}

}  // namespace natscope
