// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace natscope {

/// Where a question stands to the prompt that SnapKV and its like drop behind (the rules, section 11).
enum class QuestionPlace : std::uint8_t {
  within,  ///< its last part: what they keep was chosen by who knew the question
  behind,  ///< behind it: what they keep was chosen without it, as for a text that several questions will be asked of
};

}  // namespace natscope
