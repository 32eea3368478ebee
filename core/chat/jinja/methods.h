// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "core/base/expected.h"
#include "core/chat/jinja/value.h"

/// Attributes and items of values, and the methods of Python's texts and mappings.
namespace natscope::jinja {

/// `of.name`, as Jinja looks it up: a method of Python's before a mapping's entry. What is not there is undefined.
/// Errors: bad_tokenizer (of something undefined).
[[nodiscard]] Expected<Value> attribute_of(const Value& of, std::string_view name);

/// `of[index]`. What is not there is undefined. Errors: bad_tokenizer (of something undefined).
[[nodiscard]] Expected<Value> item_of(const Value& of, const Value& index);

}  // namespace natscope::jinja
