// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "core/base/expected.h"
#include "core/chat/jinja/syntax.h"

namespace natscope::jinja {

/// Parses a template: Jinja's expressions, and of its statements if, for, set, macro, break and continue, and
/// transformers' generation. Others (include, import, block, call, filter …) are refused.
/// Errors: bad_tokenizer (no template), unsupported_tokenizer; each names its line.
/// Source: Jinja's documentation, "Template Designer Documentation".
[[nodiscard]] Expected<Block> parse_template(std::string_view source);

}  // namespace natscope::jinja
