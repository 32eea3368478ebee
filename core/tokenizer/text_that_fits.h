// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope {

/// How many of the text's first bytes have at most `most` tokens, by themselves: those that the whole text begins with,
/// so that they end where one of its tokens does and never inside a character. Some fewer, where the last ones end
/// inside a character or would be others without what comes after them. Where the tokenizer rewrites texts (their
/// blanks, their case) the last tokens may be others than in the whole text. Reads a few times as much as that, however
/// long the text is. Errors: those of Tokenizer::encode.
[[nodiscard]] Expected<std::size_t> bytes_that_fit(const Tokenizer& tokenizer, std::string_view text,
                                                   std::int64_t most);

}  // namespace natscope
