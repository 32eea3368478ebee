// SPDX-License-Identifier: GPL-3.0-or-later
/// Text in which distance matters: books with lines of marks strewn in, each said again further on.
///
///     * @ + ~ ^             four marks, each one of five that only its column has
///     …                     the book goes on
///     * @ + ~ ^             the same again: only who still holds the line before can foresee its marks
///
/// Small models on books hardly use long context, so that any mask that keeps the nearest tokens does well there. Here
/// the marks to foresee stand `least_distance` to `most_distance` bytes back, and nothing nearer tells them: one look
/// back by content does. That look is learned where it pays often: a part of the training text is drill (lines of marks
/// alone, and lines a few words apart), of which the text to score on has none. Plain text, so that training and
/// scoring go through the same tokenizer and code as books do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope::reproduce {

struct DistanceForm {
  std::int64_t least_distance = 120;  ///< bytes of book between two lines, about; drawn log-uniformly
  std::int64_t most_distance = 2400;
  int repetitions = 11;  ///< of a line; then its marks are drawn anew
  double drill = 0;      ///< share of sections in which the lines stand close
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

/// Puts lines of marks between the words of `book`. A function of book and form alone.
[[nodiscard]] DistanceText strew_marks(std::string_view book, const DistanceForm& form);

/// The same answers as places in the text's tokens.
struct TokenAnswer {
  std::int64_t told = 0;   ///< token that holds the mark where it was said last
  std::int64_t begin = 0;  ///< tokens [begin, end)
  std::int64_t end = 0;
};

struct DistanceTokens {
  std::vector<std::int32_t> tokens;  ///< a beginning token in front where there is one
  std::vector<TokenAnswer> answers;
};

/// `bos`: the beginning token that a model gets in front of a text. Errors: those of encoding; unsupported_tokenizer
/// where there are answers and the tokens do not spell the text.
[[nodiscard]] Expected<DistanceTokens> tokenize(const DistanceText& text, const Tokenizer& tokenizer,
                                                std::optional<std::int32_t> bos);

}  // namespace natscope::reproduce
