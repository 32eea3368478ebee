// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <ctime>

#include "core/chat/jinja/value.h"

namespace natscope::jinja {

/// The functions that every template has: range, dict, namespace of Jinja, raise_exception and strftime_now of
/// transformers (of `now`, in this machine's time zone, in English).
[[nodiscard]] Mapping global_functions(std::time_t now);

/// Whether a value may stand in a namespace: then none can hold itself. Errors: unsupported_tokenizer.
[[nodiscard]] Expected<void> check_member(const Value& value);

}  // namespace natscope::jinja
