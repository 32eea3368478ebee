// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace natscope {

/// Why parse_policy refuses a text, for a place where the text stands already: parse_policy's error names it as well.
/// Empty: it is a policy.
[[nodiscard]] std::string policy_problem(std::string_view text);

}  // namespace natscope
