// SPDX-License-Identifier: GPL-3.0-or-later
/// A regular expression over characters, from a file. PCRE2 behind it. Private to core/io.
///
/// tokenizer.json is written for Oniguruma. What both libraries read alike is taken (alternatives, groups, classes of
/// properties, lookahead and lookbehind, lazy and possessive marks), what can be written otherwise for PCRE2 is (`\s`,
/// `\w`, line anchors, characters of its newer Unicode), the rest refused: class intersections, options but `i`, the
/// escapes that mean something else there.
/// Source: the libraries' own descriptions, Oniguruma's doc/RE and pcre2pattern(3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/expected.h"

namespace natscope {

/// Bytes [begin, end) of a text.
struct TextSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// What all searches in one text may take together. Most take a handful of steps, which are free; a pattern whose every
/// search takes many, and still finds something, would hold up for hours whoever reads the text.
class SearchSteps {
 public:
  explicit SearchSteps(std::size_t text_bytes) : left_(10'000'000 + 1000 * std::uint64_t{text_bytes}) {}

  /// False: so many are not left.
  [[nodiscard]] bool take(std::uint64_t steps) {
    if (steps > left_) return false;
    left_ -= steps;
    return true;
  }

 private:
  std::uint64_t left_;
};

class UnicodePattern {
 public:
  /// Errors: unsupported_tokenizer (see above), bad_tokenizer (it does not parse, or is longer than 16 kB).
  [[nodiscard]] static Expected<UnicodePattern> compile(std::string_view pattern);

  /// Looks for the first match that begins at `from` or behind it; `text` is UTF-8, `from` the begin of a character.
  /// False: there is none. An empty match counts. Errors: bad_text (the pattern takes too many steps on it, or with
  /// the searches before it), out_of_memory.
  [[nodiscard]] Expected<bool> find(std::string_view text, std::size_t from, SearchSteps& steps, TextSpan& match) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace natscope
