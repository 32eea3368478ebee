// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/operators.h"

#include <cmath>

#include "core/base/checked_math.h"
#include "core/chat/jinja/filters.h"

namespace natscope::jinja {
namespace {

Expected<Value> exact(const std::optional<std::int64_t>& result) {
  if (!result) return fail(ErrorCode::unsupported_tokenizer, "a number above 2^63");
  return Value(*result);
}

/// Python's // and %: rounded down, the remainder with the sign of the divisor.
Expected<Value> divided(BinaryOperator op, std::int64_t a, std::int64_t b) {
  if (b == 0) return wrong("a division by zero");
  if (b == -1) return op == BinaryOperator::remainder ? Value(std::int64_t{0}) : exact(checked_mul(a, b));
  const std::int64_t rest = a % b;
  const bool goes_down = rest != 0 && (rest < 0) != (b < 0);
  if (op == BinaryOperator::remainder) return Value(goes_down ? rest + b : rest);
  return Value(a / b - (goes_down ? 1 : 0));
}

Expected<Value> whole_power(std::int64_t base, std::int64_t exponent) {
  std::optional<std::int64_t> result = 1;
  const bool is_trivial = base >= -1 && base <= 1;
  for (std::int64_t i = 0; result && i < (is_trivial ? exponent % 2 + 2 * (exponent > 1) : exponent); ++i)
    result = checked_mul(*result, base);
  return exact(result);
}

Expected<Value> of_integers(BinaryOperator op, std::int64_t a, std::int64_t b) {
  switch (op) {
    case BinaryOperator::add:
      return exact(checked_add(a, b));
    case BinaryOperator::subtract: {
      std::int64_t difference = 0;
      if (__builtin_sub_overflow(a, b, &difference)) return exact({});
      return Value(difference);
    }
    case BinaryOperator::multiply:
      return exact(checked_mul(a, b));
    case BinaryOperator::power:
      if (b >= 0) return whole_power(a, b);
      return fail(ErrorCode::unsupported_tokenizer, "a negative power");
    default:
      return divided(op, a, b);
  }
}

Expected<Value> of_floats(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::add:
      return Value(a + b);
    case BinaryOperator::subtract:
      return Value(a - b);
    case BinaryOperator::multiply:
      return Value(a * b);
    case BinaryOperator::divide:
      if (b == 0) return wrong("a division by zero");
      return Value(a / b);
    default:
      return fail(ErrorCode::unsupported_tokenizer, "that operator with fractions");
  }
}

Expected<Value> concatenated(const Value& a, const Value& b) {
  NATSCOPE_TRY(std::string text, printed(a));
  NATSCOPE_TRY(const std::string rest, printed(b));
  return Value(text += rest);
}

std::string symbol(BinaryOperator op) {
  constexpr const char* symbols[] = {"+", "-", "*", "/", "//", "%", "**", "~", "and", "or"};
  return symbols[static_cast<std::size_t>(op)];
}

}  // namespace

Expected<Value> binary(BinaryOperator op, const Value& a, const Value& b) {
  if (op == BinaryOperator::concatenate) return concatenated(a, b);
  if (a.integer() && b.integer() && op != BinaryOperator::divide) return of_integers(op, *a.integer(), *b.integer());
  if (a.number() && b.number()) return of_floats(op, *a.number(), *b.number());
  if (op == BinaryOperator::add && a.text() != nullptr && b.text() != nullptr) return Value(*a.text() + *b.text());
  if (op == BinaryOperator::add && a.list() != nullptr && b.list() != nullptr) {
    List items = *a.list();
    items.insert(items.end(), b.list()->begin(), b.list()->end());
    return Value(std::move(items));
  }
  if (op == BinaryOperator::remainder && a.text() != nullptr)
    return fail(ErrorCode::unsupported_tokenizer, "a text put together with %");
  for (const Value* const value : {&a, &b}) {
    if (value->is_undefined()) return wrong("“" + value->undefined_name() + "” is undefined");
  }
  const auto has_items = [](const Value& value) { return value.text() != nullptr || value.list() != nullptr; };
  if (op == BinaryOperator::multiply && (has_items(a) || has_items(b)))
    return fail(ErrorCode::unsupported_tokenizer, "a text or list repeated with *");
  return wrong(a.kind() + " " + symbol(op) + " " + b.kind());
}

Expected<bool> compared(Comparator op, const Value& a, const Value& b) {
  const auto inverse = [](Expected<bool> result) -> Expected<bool> {
    if (!result) return result;
    return !*result;
  };
  switch (op) {
    case Comparator::equal:
      return equal(a, b);
    case Comparator::not_equal:
      return !equal(a, b);
    case Comparator::less:
      return less(a, b);
    case Comparator::greater:
      return less(b, a);
    case Comparator::less_or_equal:
      return inverse(less(b, a));
    case Comparator::greater_or_equal:
      return inverse(less(a, b));
    case Comparator::in:
      return contains(b, a);
    case Comparator::not_in:
      return inverse(contains(b, a));
  }
  return false;
}

Expected<Value> unary(UnaryOperator op, const Value& operand) {
  if (op == UnaryOperator::logical_not) return Value(!operand.truth());
  if (const auto whole = operand.integer())
    return op == UnaryOperator::plus ? Value(*whole) : of_integers(BinaryOperator::subtract, 0, *whole);
  if (const auto number = operand.number()) return Value(op == UnaryOperator::plus ? *number : -*number);
  if (operand.is_undefined()) return wrong("“" + operand.undefined_name() + "” is undefined");
  return wrong("the negative of " + operand.kind());
}

Expected<Value> sliced(const Value& of, const Value& first, const Value& last, const Value& step) {
  if (of.list() == nullptr && of.text() == nullptr) {
    if (of.is_undefined()) return wrong("“" + of.undefined_name() + "” is undefined");
    return wrong("a part of " + of.kind());
  }
  for (const Value* const bound : {&first, &last, &step}) {
    if (!bound->is_none() && !bound->integer()) return wrong(bound->kind() + " as a bound of a part");
  }
  NATSCOPE_TRY(const std::int64_t size, length_of(of));
  const std::int64_t stride = step.integer().value_or(1);
  if (stride == 0) return wrong("a part with a step of zero");
  const bool is_forward = stride > 0;
  // Where Python's slice.indices() puts a bound: outside of the items, at their ends.
  const auto placed = [&](const Value& bound, std::int64_t otherwise) {
    if (bound.is_none()) return otherwise;
    const std::int64_t lowest = is_forward ? 0 : -1;
    const std::int64_t highest = is_forward ? size : size - 1;
    const std::int64_t place = *bound.integer();
    if (place < 0) return place < -size ? lowest : std::max(lowest, place + size);
    return std::min(place, highest);
  };
  const std::int64_t begin = placed(first, is_forward ? 0 : size - 1);
  const std::int64_t end = placed(last, is_forward ? size : -1);
  const auto for_each_place = [&](const auto& take) {
    for (std::int64_t at = begin; is_forward ? at < end : at > end;) {
      take(static_cast<std::size_t>(at));
      if (__builtin_add_overflow(at, stride, &at)) break;
    }
  };
  if (of.text() != nullptr && stride == 1) {
    const std::string_view text = *of.text();
    const std::size_t from = offset_of_character(text, begin);
    return Value(begin < end ? std::string(text.substr(from, offset_of_character(text, end) - from)) : std::string());
  }
  if (of.text() != nullptr) {
    const auto characters = characters_of(*of.text());
    std::string part;
    for_each_place([&](std::size_t place) { part += characters[place]; });
    return Value(std::move(part));
  }
  List part;
  for_each_place([&](std::size_t place) { part.push_back((*of.list())[place]); });
  return Value(std::move(part));
}

}  // namespace natscope::jinja
