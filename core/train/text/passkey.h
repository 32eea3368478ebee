// SPDX-License-Identifier: GPL-3.0-or-later
/// Documents with pass keys in them: sentences that name a key, at random depths of a long text, and questions about
/// them behind it. To answer, a model must have kept what it could not know to be needed.
/// Source: the task of the paper's fine-tuning data (10 keys, depths 0.05 … 0.95); words and sentences are ours. With a
/// single key it is the task that Mohtashami and Jaggi asked first (arXiv 2305.16300): there is nothing to choose from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/text/document.h"

namespace natscope::train {

/// Names that keys are told apart by, and so the most keys of a document.
inline constexpr int most_passkeys = 20;
/// The paper's.
inline constexpr int passkeys_by_default = 10;

struct PasskeyForm {
  std::int64_t length = 1024;      ///< tokens of the whole document, about: the text gives way to keys and questions
  int keys = passkeys_by_default;  ///< 1 … most_passkeys; fewer where they would fill more than a third
  double least_depth = 0.05;       ///< of the text, 0 … 1
  double most_depth = 0.95;
  std::uint64_t seed = 0;
  std::uint64_t number = 0;  ///< of the document
};

/// Where a question's answer stands, for scoring.
struct PasskeyAnswer {
  double depth = 0;        ///< where in the text its key was
  std::int64_t asked = 0;  ///< where its question begins
  std::int64_t begin = 0;  ///< its tokens: [begin, end) of the document
  std::int64_t end = 0;
};

struct PasskeyDocument {
  Document document;  ///< `counted` is 1 on the positions that predict the answers
  std::vector<PasskeyAnswer> answers;
};

/// A function of form and text alone. `text`: tokens to hide the keys in, at least as many as `length` where that can
/// be. Errors: bad_data (no room for a single key: `length` is too short, or there is no text).
[[nodiscard]] Expected<PasskeyDocument> passkey_document(std::span<const std::int32_t> text, const PasskeyForm& form,
                                                         const Tokenizer& tokenizer, std::optional<std::int32_t> bos);

}  // namespace natscope::train
