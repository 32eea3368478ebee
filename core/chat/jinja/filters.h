// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "core/base/expected.h"
#include "core/chat/jinja/value.h"

namespace natscope::jinja {

/// `of | name(arguments)`: Jinja's filters that chat templates use, and transformers' tojson.
/// Errors: unsupported_tokenizer (another filter, or arguments that it does not take here), bad_tokenizer.
/// Source: Jinja's documentation, "List of Builtin Filters".
[[nodiscard]] Expected<Value> apply_filter(std::string_view name, const Value& of, const Arguments& arguments);

/// Whether a filter does something for each item of what it is given, with its arguments.
[[nodiscard]] bool goes_item_by_item(std::string_view filter);

/// `of is name(arguments)`. Errors: unsupported_tokenizer, bad_tokenizer.
/// Source: Jinja's documentation, "List of Builtin Tests".
[[nodiscard]] Expected<bool> apply_test(std::string_view name, const Value& of, const Arguments& arguments);

/// a < b. Errors: bad_tokenizer for values that have no order.
[[nodiscard]] Expected<bool> less(const Value& a, const Value& b);

}  // namespace natscope::jinja
