// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>

namespace natscope {

class ModelFolder;

/// The fixed mask that a model without score layers was trained under (train --policy), as parse_policy takes it:
/// `natscope.training_policy` of its config.json. Absent where the folder says nothing, or nothing that can be read.
[[nodiscard]] std::optional<std::string> training_policy(const ModelFolder& folder);

}  // namespace natscope
