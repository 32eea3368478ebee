// SPDX-License-Identifier: GPL-3.0-or-later
/// A result as text, for --json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace natscope {

/// The value in lines, with a line's end. JSON holds Unicode, and a path may be any bytes: a text that is no UTF-8 is
/// spelt as messages spell it (printable()), "caf\\xE9.npy".
[[nodiscard]] std::string printed_json(const nlohmann::json& value);

}  // namespace natscope
