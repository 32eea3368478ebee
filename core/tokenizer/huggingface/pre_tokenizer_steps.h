// SPDX-License-Identifier: GPL-3.0-or-later
/// How a tokenizer.json cuts a text into words, inside of which pieces are merged. Private to core/io.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "core/base/expected.h"
#include "core/tokenizer/huggingface/unicode_pattern.h"

namespace natscope {

/// What becomes of a pattern's matches. joined: as isolated, and those that touch are one.
enum class SplitBehavior { isolated, removed, joined, with_previous, with_next };
/// Matches of a pattern, and what stands between them.
struct SplitByPattern {
  UnicodePattern pattern;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool inverted = false;  ///< what stands between the matches is taken for them
};
/// A blank in front of a text that begins with none.
struct LeadingBlank {};
/// Bytes as characters (byte_level.h); steps behind it see those.
struct ByteLevel {};
/// Blanks become a mark; a mark is put in front of a text that begins with none; words begin with marks.
struct Metaspace {
  enum class Prepends { never, first, always };  ///< first: the whole text's beginning alone
  std::string mark;
  Prepends prepends = Prepends::always;
  bool splits = true;
};

class PreTokenizerSteps {
 public:
  /// `json`: null, or the object under "pre_tokenizer". Errors: bad_tokenizer, unsupported_tokenizer.
  [[nodiscard]] static Expected<PreTokenizerSteps> read(const nlohmann::json& json);

  /// Words of `text`, UTF-8, none of them empty. `begins_text`: nothing stands before it. `searching`: of all parts of
  /// a text together. Errors: as UnicodePattern.
  [[nodiscard]] Expected<std::vector<std::string>> cut(std::string text, bool begins_text,
                                                       SearchSteps& searching) const;

  /// Whether the words' characters stand for bytes.
  [[nodiscard]] bool is_byte_level() const;
  /// The mark for blanks; null where there is none.
  [[nodiscard]] const Metaspace* metaspace() const;
  /// Whether a word ends before every blank that stands between two ASCII letters, whatever comes before and behind.
  [[nodiscard]] bool cuts_before_blanks() const { return cuts_before_blanks_; }

 private:
  Expected<void> add(const nlohmann::json& json, int depth);
  Expected<void> add_split(const nlohmann::json& json);

  std::vector<std::variant<SplitByPattern, LeadingBlank, ByteLevel, Metaspace>> steps_;
  bool cuts_before_blanks_ = false;
};

}  // namespace natscope
