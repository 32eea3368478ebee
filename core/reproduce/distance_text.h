// SPDX-License-Identifier: GPL-3.0-or-later
/// Text in which distance matters: books with marks strewn in, each said again and again further on.
///
///     * door @              a place gets a mark, on a line of its own
///     …                     the book goes on, other places' marks come between
///     * door @              the same again: only who still holds the line before can foresee the mark
///
/// Small models on books hardly use long context, so that any mask that keeps the nearest tokens does well there. Here
/// the mark to foresee stands `least_distance` to `most_distance` bytes back, and nothing nearer tells it. Every place
/// has marks of its own, which no book uses: one look back by content finds them. (Facts of any name and any word,
/// which take two looks, were not learned by a model of 1 M parameters within 3 M tokens.) Plain text, so that training
/// and scoring go through the same tokenizer and code as books do.
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
  std::int64_t gap = 80;              ///< bytes of book between two lines of the task, at least
  std::int64_t least_distance = 120;  ///< bytes from a mark to its next repetition, about; drawn log-uniformly
  std::int64_t most_distance = 2400;
  int repetitions = 6;  ///< of each mark; then its place gets another one
  std::uint64_t seed = 0;
  std::uint64_t number = 0;  ///< of the text: other texts get other marks
};

/// Where a repeated mark and the one that tells it stand, in bytes from the text's begin.
struct DistanceAnswer {
  std::int64_t told = 0;   ///< where the mark was said last
  std::int64_t begin = 0;  ///< the repeated mark: [begin, end)
  std::int64_t end = 0;
};

struct DistanceText {
  std::string text;
  std::vector<DistanceAnswer> answers;  ///< ascending
};

/// Puts marks between the lines of `book`. A function of book and form alone.
[[nodiscard]] DistanceText strew_marks(std::string_view book, const DistanceForm& form);

/// The same answers as places in the text's tokens.
struct TokenAnswer {
  std::int64_t told = 0;   ///< token that holds the mark where it was said last
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
