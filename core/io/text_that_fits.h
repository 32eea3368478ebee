// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/expected.h"
#include "core/io/tokenizer.h"

namespace natscope {

/// How many of the text's first bytes have at most `most` tokens, by themselves: what is cut off there is tokenized as
/// it would be in the whole text, or nearly. Never inside a character. Reads a few times as much as that, however long
/// the text is. Errors: those of Tokenizer::encode.
[[nodiscard]] Expected<std::size_t> bytes_that_fit(const Tokenizer& tokenizer, std::string_view text,
                                                   std::int64_t most);

}  // namespace natscope
