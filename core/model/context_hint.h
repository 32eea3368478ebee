// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/model/config.h"

namespace natscope {

/// What to do where a text is longer than the context: `shorten`, and where the model has a longer one, to ask for it.
[[nodiscard]] inline std::string context_hint(const ModelConfig& config, const std::string& shorten) {
  if (config.longest_context <= config.context) return shorten;
  return shorten + ", or give --context, for this model up to " + std::to_string(config.longest_context);
}

}  // namespace natscope
