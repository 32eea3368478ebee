// SPDX-License-Identifier: GPL-3.0-or-later
/// JSON Lines: one JSON value a line, empty lines passed over.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/expected.h"

namespace natscope {

/// Calls `take` with each line's value, and with where it stands, for messages: "FILE, line 3". `name` is the file's.
/// Errors: bad_data (a line that is no JSON; one over 64 MiB, with more than 4096 values, or more than 8 deep), those
/// of `take`.
[[nodiscard]] Expected<void> for_each_json_line(
    std::string_view text, std::string_view name,
    const std::function<Expected<void>(const nlohmann::json& line, const std::string& where)>& take);

}  // namespace natscope
