// SPDX-License-Identifier: GPL-3.0-or-later
/// What policies are called in front of their colon.
#pragma once

#include <string>
#include <vector>

#include "core/cache/policy.h"

namespace natscope {

/// All of them, for whoever looks for the one that was meant.
[[nodiscard]] std::vector<std::string> policy_names();
[[nodiscard]] std::string policy_name(Policy::Kind kind);

/// For sentences of help and refusals: "model, full, window, … or adakv", "h2o, tova, … or adakv", and all of them with
/// their numbers, "model, full, window:W, … or adakv:SIZE,WINDOW".
[[nodiscard]] std::string policies_in_words();
[[nodiscard]] std::string policies_without_roles_in_words();
[[nodiscard]] std::string policy_forms_in_words();

}  // namespace natscope
