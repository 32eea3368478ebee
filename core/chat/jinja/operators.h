// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/expected.h"
#include "core/chat/jinja/syntax.h"

namespace natscope::jinja {

/// a op b of Python, for every operator but `and` and `or`. Errors: bad_tokenizer, unsupported_tokenizer.
[[nodiscard]] Expected<Value> binary(BinaryOperator op, const Value& a, const Value& b);

/// Errors: bad_tokenizer (values without an order, or without items).
[[nodiscard]] Expected<bool> compared(Comparator op, const Value& a, const Value& b);

/// Errors: bad_tokenizer (of what is no number).
[[nodiscard]] Expected<Value> unary(UnaryOperator op, const Value& operand);

/// of[first:last:step]; each of the three may be None. Errors: bad_tokenizer.
[[nodiscard]] Expected<Value> sliced(const Value& of, const Value& first, const Value& last, const Value& step);

}  // namespace natscope::jinja
