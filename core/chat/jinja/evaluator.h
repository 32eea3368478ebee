// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "core/base/expected.h"
#include "core/chat/jinja/syntax.h"

namespace natscope::jinja {

/// What a template may take: it comes from a stranger, and may loop.
struct Limits {
  std::int64_t steps = 300'000;          ///< expressions and statements
  std::int64_t bytes = 512LL << 20U;     ///< of all that it makes, however short that lives
  std::int64_t bytes_read = 1LL << 30U;  ///< by operators, filters, tests and calls
};

/// Writes a template out. `globals` are its variables, beside global_functions(now). Errors, each with its line:
/// bad_text (what the template itself raises), bad_tokenizer (it fails, or takes more than its limits),
/// unsupported_tokenizer.
[[nodiscard]] Expected<std::string> write_template(const Block& block, const Mapping& globals, std::time_t now,
                                                   Limits limits = {});

}  // namespace natscope::jinja
