// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope {

/// The ids of a text that goes on behind the token `last`: no beginning token, and not the blank that many tokenizers
/// put in front of a text. Behind a control token that tokenizer.json knows in running text ("<|im_end|>") they are
/// those that the text has there.
///
/// Where a tokenizer cannot be brought to leave that blank away (its rules take line breaks for blanks, or join them
/// with what follows) it stays. Errors: those of Tokenizer::encode().
[[nodiscard]] Expected<std::vector<std::int32_t>> follow_up_tokens(const Tokenizer& tokenizer, std::int32_t last,
                                                                   std::string_view text);

}  // namespace natscope
