// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace natscope {

/// How a token reads by itself, where a text shows nothing of it; empty where that is not known.
using TokenNames = std::function<std::string(std::int32_t token)>;

/// Those that a file or a session holds; `names` must outlive what is returned.
[[nodiscard]] inline TokenNames token_names(const std::map<std::int32_t, std::string>& names) {
  return [&names](std::int32_t token) {
    const auto found = names.find(token);
    return found != names.end() ? found->second : std::string();
  };
}

}  // namespace natscope
