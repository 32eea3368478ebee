// SPDX-License-Identifier: GPL-3.0-or-later
/// Texts that are longer than a model's context: what is said then.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/expected.h"
#include "core/base/grouped_digits.h"
#include "core/model/config.h"

namespace natscope {

/// What to do where a text is longer than the context: `shorten`, and where the model has a longer one, to ask for it.
[[nodiscard]] inline std::string context_hint(const ModelConfig& config, const std::string& shorten) {
  if (config.longest_context <= config.context) return shorten;
  return shorten + ", or give --context, for this model up to " + std::to_string(config.longest_context);
}

/// Whether the context holds a prompt of so many tokens. Errors: prompt_too_long.
[[nodiscard]] inline Expected<void> check_fits(std::int64_t tokens, const ModelConfig& config) {
  if (tokens <= config.context) return {};
  return fail(ErrorCode::prompt_too_long,
              grouped_digits(tokens) + " tokens, but the model's context holds " + grouped_digits(config.context),
              context_hint(config, "shorten the prompt"));
}

}  // namespace natscope
