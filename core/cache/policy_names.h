// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

namespace natscope {

/// What policies are called in front of their colon, for whoever looks for the one that was meant.
[[nodiscard]] std::vector<std::string> policy_names();

}  // namespace natscope
