// SPDX-License-Identifier: GPL-3.0-or-later
/// Text in which distance matters: books with facts strewn in, each said again and again further on.
///
///     The sign reads Clara copper.          a fact, on a line of its own
///     …                                     the book goes on, other facts come between
///     The sign reads Clara copper.          the same again: only who still holds the fact can foresee its last word
///
/// Small models on books hardly use long context, so that any mask that keeps the nearest tokens does well there. Here
/// the word to foresee stands `least_distance` to `most_distance` bytes back, and nothing nearer tells it. The word
/// follows its name at once, which is the pattern that small models learn to look up first (Olsson et al., "In-context
/// learning and induction heads", 2022). Plain text, so that training and scoring go through the same tokenizer and
/// code as books do.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/io/tokenizer.h"

namespace natscope::reproduce {

struct DistanceForm {
  std::int64_t gap = 80;              ///< bytes of book between two sentences of the task, about
  std::int64_t least_distance = 120;  ///< bytes from a fact to its next repetition, about; drawn log-uniformly
  std::int64_t most_distance = 2400;
  int repetitions = 3;  ///< of each fact; its name may then get another word
  std::uint64_t seed = 0;
  std::uint64_t number = 0;  ///< of the text: other texts get other facts
};

/// Where a repetition's last word and the fact that tells it stand, in bytes from the text's begin.
struct DistanceAnswer {
  std::int64_t fact = 0;   ///< begin of the word where it was said last
  std::int64_t begin = 0;  ///< the repetition's word: [begin, end), its blank in front included
  std::int64_t end = 0;
};

struct DistanceText {
  std::string text;
  std::vector<DistanceAnswer> answers;  ///< ascending
};

/// Puts facts and repetitions between the lines of `book`. A function of book and form alone. A name gets no other
/// word before its fact was said as often as it should be, unless the book ends first.
[[nodiscard]] DistanceText strew_facts(std::string_view book, const DistanceForm& form);

/// The same answers as places in the text's tokens.
struct TokenAnswer {
  std::int64_t fact = 0;   ///< token that begins the word where it was said last
  std::int64_t begin = 0;  ///< tokens [begin, end)
  std::int64_t end = 0;
};

struct DistanceTokens {
  std::vector<std::int32_t> tokens;  ///< a beginning token in front where the tokenizer has one
  std::vector<TokenAnswer> answers;
};

/// Errors: those of encoding; internal when the tokens do not spell the text.
[[nodiscard]] Expected<DistanceTokens> tokenize(const DistanceText& text, const Tokenizer& tokenizer);

}  // namespace natscope::reproduce
