// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>

#include "core/chat/jinja/methods.h"
#include "core/chat/jinja/text.h"

namespace natscope::jinja {
namespace {

using FilterFunction = Expected<Value> (*)(const Value& of, const Arguments& arguments);

/// The value at "a.b" of an item, as map, join and selectattr take it.
Expected<Value> value_at(const Value& item, const std::string& path) {
  Value value = item;
  for (const std::string_view part : split(path, ".", -1, false)) {
    // As Jinja has it: digits are an index.
    std::int64_t index = 0;
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = problem == std::errc() && end == part.data() + part.size() && part.front() != '-';
    NATSCOPE_TRY(value, item_of(value, is_index ? Value(index) : Value(std::string(part))));
  }
  return value;
}

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  const std::size_t taken = std::min(count, rest.positional.size());
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(taken));
  return rest;
}

Expected<Value> trim(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("trim", {"chars"}));
  NATSCOPE_TRY(const std::string text, printed(of));
  NATSCOPE_TRY(const auto characters, arguments.text(0, "chars"));
  return Value(std::string(stripped(text, characters, Sides::both)));
}

Expected<Value> length(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("length", {}));
  NATSCOPE_TRY(const std::int64_t count, length_of(of));
  return Value(count);
}

Expected<Value> to_json(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("tojson", {"ensure_ascii", "indent"}));
  const Value* const ascii = arguments.find(0, "ensure_ascii");
  if (ascii != nullptr && ascii->truth()) return fail(ErrorCode::unsupported_tokenizer, "tojson in ASCII alone");
  std::optional<std::int64_t> indent;
  if (const Value* const given = arguments.find(1, "indent"); given != nullptr && !given->is_none()) {
    indent = given->integer();
    if (!indent) return fail(ErrorCode::unsupported_tokenizer, "tojson with that indent");
  }
  NATSCOPE_TRY(std::string text, json_text(of, indent));
  return Value(std::move(text));
}

Expected<Value> join(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("join", {"d", "attribute"}));
  NATSCOPE_TRY(const List items, items_of(of));
  NATSCOPE_TRY(const auto between, arguments.text(0, "d"));
  NATSCOPE_TRY(const auto path, arguments.text(1, "attribute"));
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && between) text += *between;
    Value item = items[i];
    if (path) {
      NATSCOPE_TRY(item, value_at(item, *path));
    }
    NATSCOPE_TRY(const std::string part, printed(item));
    text += part;
    if (static_cast<std::int64_t>(text.size()) > most_text_bytes) return wrong("join makes too long a text");
  }
  return Value(std::move(text));
}

Expected<Value> default_value(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("default", {"default_value", "boolean"}));
  const Value* const boolean = arguments.find(1, "boolean");
  const bool is_missing = of.is_undefined() || (boolean != nullptr && boolean->truth() && !of.truth());
  if (!is_missing) return of;
  const Value* const given = arguments.find(0, "default_value");
  return given != nullptr ? *given : Value(std::string());
}

template <LetterCase letters>
Expected<Value> letter_case(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("a filter of letters", {}));
  NATSCOPE_TRY(const std::string text, printed(of));
  // Jinja's title begins words at blanks and brackets; where only letters and blanks are, that is Python's.
  if (letters == LetterCase::title && !std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ';
      }))
    return fail(ErrorCode::unsupported_tokenizer, "title of a text with more than letters and blanks");
  NATSCOPE_TRY(std::string changed, in_case(text, letters));
  return Value(std::move(changed));
}

Expected<Value> replace(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("replace", {"old", "new", "count"}));
  NATSCOPE_TRY(const std::string text, printed(of));
  NATSCOPE_TRY(const auto from, arguments.text(0, "old"));
  NATSCOPE_TRY(const auto to, arguments.text(1, "new"));
  const Value* const count = arguments.find(2, "count");
  const bool is_all = count != nullptr && count->is_none();
  NATSCOPE_TRY(const std::int64_t times, is_all ? Expected<std::int64_t>(-1) : arguments.integer(2, "count", -1));
  if (!from || !to || from->empty()) return fail(ErrorCode::unsupported_tokenizer, "replace without two texts");
  NATSCOPE_TRY(std::string made, replaced(text, *from, *to, times));
  return Value(std::move(made));
}

template <bool first>
Expected<Value> end_item(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check(first ? "first" : "last", {}));
  if (const std::string* const text = of.text(); text != nullptr && !text->empty())
    return Value(std::string(first ? first_character(*text) : last_character(*text)));
  if (!first && of.is_generator()) return wrong("last of a generator");
  NATSCOPE_TRY(const List items, items_of(of));
  if (items.empty()) return Value::undefined(first ? "first item" : "last item");
  return first ? items.front() : items.back();
}

Expected<Value> list(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("list", {}));
  NATSCOPE_TRY(List items, items_of(of));
  return Value(std::move(items));
}

Expected<Value> reverse(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("reverse", {}));
  if (of.is_undefined() || of.mapping() != nullptr)
    return fail(ErrorCode::unsupported_tokenizer, "reverse of " + of.kind());
  NATSCOPE_TRY(List items, items_of(of));
  std::reverse(items.begin(), items.end());
  if (of.text() == nullptr) return Value::generator(std::move(items));
  return join(Value(std::move(items)), {});
}

Expected<Value> items(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("items", {}));
  List pairs;
  if (of.mapping() == nullptr && !of.is_undefined()) return wrong("items of " + of.kind());
  if (!of.is_undefined()) {
    for (const auto& [key, value] : of.mapping()->entries()) pairs.emplace_back(List{Value(key), value});
  }
  return Value::generator(std::move(pairs));
}

/// What map, select and their kin go through: of None, and of whatever else is false, nothing.
Expected<List> items_if_any(const Value& of) { return of.truth() ? items_of(of) : List(); }

Expected<Value> map(const Value& of, const Arguments& arguments) {
  NATSCOPE_TRY(const List items, items_if_any(of));
  List results;
  if (arguments.positional.empty()) {
    NATSCOPE_CHECK(arguments.check("map", {"attribute", "default"}));
    NATSCOPE_TRY(const auto path, arguments.text(0, "attribute"));
    if (!path) return fail(ErrorCode::unsupported_tokenizer, "map without a filter or an attribute");
    const Value* otherwise = arguments.find(1, "default");
    if (otherwise != nullptr && otherwise->is_none()) otherwise = nullptr;
    for (const Value& item : items) {
      NATSCOPE_TRY(Value value, value_at(item, *path));
      results.push_back(value.is_undefined() && otherwise != nullptr ? *otherwise : std::move(value));
    }
    return Value::generator(std::move(results));
  }
  if (arguments.positional.front().text() == nullptr) return wrong("map with a filter whose name is not text");
  if (*arguments.positional.front().text() == "map") return fail(ErrorCode::unsupported_tokenizer, "a map of maps");
  const Arguments rest = without_first(arguments, 1);
  std::int64_t weight = 0;
  for (const Value& item : items) {
    NATSCOPE_TRY(Value value, apply_filter(*arguments.positional.front().text(), item, rest));
    // Before they are all there: each may be as long as a text may get.
    weight += value.weight();
    if (weight > most_text_bytes) return wrong("map makes too much");
    results.push_back(std::move(value));
  }
  return Value::generator(std::move(results));
}

template <bool keeps, bool by_attribute>
Expected<Value> select(const Value& of, const Arguments& arguments) {
  NATSCOPE_TRY(const List items, items_if_any(of));
  std::string path;
  if (by_attribute) {
    if (arguments.positional.empty() || arguments.positional.front().text() == nullptr)
      return wrong("selectattr and rejectattr need an attribute's name");
    path = *arguments.positional.front().text();
  }
  constexpr std::size_t before = by_attribute ? 1 : 0;
  std::optional<std::string> test;
  if (arguments.positional.size() > before) {
    if (arguments.positional[before].text() == nullptr) return wrong("a test whose name is not text");
    test = *arguments.positional[before].text();
  }
  const Arguments rest = without_first(arguments, before + 1);
  List kept;
  for (const Value& item : items) {
    Value value = item;
    if (by_attribute) {
      NATSCOPE_TRY(value, value_at(item, path));
    }
    bool passes = value.truth();
    if (test) {
      NATSCOPE_TRY(passes, apply_test(*test, value, rest));
    }
    if (passes == keeps) kept.push_back(item);
  }
  return Value::generator(std::move(kept));
}

Expected<Value> to_text(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("string", {}));
  NATSCOPE_TRY(std::string text, printed(of));
  return Value(std::move(text));
}

/// Jinja marks the text as one that needs no escaping; put together with another text that one would be escaped.
Expected<Value> safe(const Value&, const Arguments&) {
  return fail(ErrorCode::unsupported_tokenizer, "the filter safe");
}

Expected<Value> to_integer(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("int", {"default"}));
  const Value* const given = arguments.find(0, "default");
  if (given != nullptr && !given->integer()) return fail(ErrorCode::unsupported_tokenizer, "int with such a default");
  const std::int64_t otherwise = given != nullptr ? *given->integer() : 0;
  if (of.is_undefined()) return wrong("“" + of.undefined_name() + "” is undefined");
  if (const auto whole = of.integer()) return Value(*whole);
  if (of.is_float() && std::abs(*of.number()) < 1e18) return Value(static_cast<std::int64_t>(*of.number()));
  if (of.is_float()) return fail(ErrorCode::unsupported_tokenizer, "int of such a number");
  if (of.text() == nullptr) return Value(otherwise);
  const std::string_view digits = stripped(*of.text(), {}, Sides::both);
  std::int64_t whole = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
  if (problem == std::errc() && end == digits.data() + digits.size()) return Value(whole);
  if (digits.find_first_of("0123456789") != std::string_view::npos)
    return fail(ErrorCode::unsupported_tokenizer, "int of such a text");
  return Value(otherwise);
}

Expected<Value> indent(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("indent", {"width", "first", "blank"}));
  if (of.text() == nullptr) return wrong("indent of " + of.kind());
  const std::string& text = *of.text();
  for (const std::string_view line_break :
       {"\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"}) {
    if (find_text(text, line_break) != std::string_view::npos)
      return fail(ErrorCode::unsupported_tokenizer, "indent of a text with other line breaks than \\n");
  }
  NATSCOPE_TRY(const std::int64_t width, arguments.integer(0, "width", 4));
  if (width < 0 || width > 1000) return fail(ErrorCode::unsupported_tokenizer, "indent by that much");
  const auto is_set = [&](std::size_t place, const char* name) {
    const Value* const value = arguments.find(place, name);
    return value != nullptr && value->truth();
  };
  const std::string blanks(static_cast<std::size_t>(width), ' ');
  std::string out;
  bool is_first = true;
  for (const std::string_view line : split(text, "\n", -1, false)) {
    if (!is_first) out += '\n';
    if (is_first ? is_set(1, "first") : is_set(2, "blank") || !line.empty()) out += blanks;
    out += line;
    is_first = false;
    if (static_cast<std::int64_t>(out.size()) > most_text_bytes) return wrong("indent makes too long a text");
  }
  return Value(std::move(out));
}

Expected<Value> absolute(const Value& of, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("abs", {}));
  if (const auto whole = of.integer(); whole && *whole != INT64_MIN) return Value(*whole < 0 ? -*whole : *whole);
  if (of.is_float()) return Value(std::abs(*of.number()));
  return wrong("abs of " + of.kind());
}

const std::map<std::string_view, FilterFunction>& filters() {
  static const std::map<std::string_view, FilterFunction> table{
      {"trim", trim},
      {"length", length},
      {"count", length},
      {"tojson", to_json},
      {"join", join},
      {"default", default_value},
      {"d", default_value},
      {"lower", letter_case<LetterCase::lower>},
      {"upper", letter_case<LetterCase::upper>},
      {"title", letter_case<LetterCase::title>},
      {"capitalize", letter_case<LetterCase::capitalized>},
      {"replace", replace},
      {"first", end_item<true>},
      {"last", end_item<false>},
      {"list", list},
      {"reverse", reverse},
      {"items", items},
      {"map", map},
      {"select", select<true, false>},
      {"reject", select<false, false>},
      {"selectattr", select<true, true>},
      {"rejectattr", select<false, true>},
      {"string", to_text},
      {"int", to_integer},
      {"indent", indent},
      {"abs", absolute},
      {"safe", safe},
  };
  return table;
}

using TestFunction = Expected<bool> (*)(const Value& of, const Value& operand);

const std::map<std::string_view, bool (*)(const Value&)>& plain_tests() {
  static const std::map<std::string_view, bool (*)(const Value&)> table{
      {"defined", [](const Value& of) { return !of.is_undefined(); }},
      {"undefined", [](const Value& of) { return of.is_undefined(); }},
      {"none", [](const Value& of) { return of.is_none(); }},
      {"string", [](const Value& of) { return of.text() != nullptr; }},
      {"number", [](const Value& of) { return of.number().has_value(); }},
      {"integer", [](const Value& of) { return of.integer().has_value() && !of.is_bool(); }},
      {"float", [](const Value& of) { return of.is_float(); }},
      {"boolean", [](const Value& of) { return of.is_bool(); }},
      {"true", [](const Value& of) { return of.is_bool() && of.truth(); }},
      {"false", [](const Value& of) { return of.is_bool() && !of.truth(); }},
      {"mapping", [](const Value& of) { return of.mapping() != nullptr; }},
      // What has a length and takes an index; of what is undefined Jinja asks the same and finds both.
      {"sequence",
       [](const Value& of) {
         return of.text() != nullptr || of.list() != nullptr || of.mapping() != nullptr || of.is_undefined();
       }},
      {"iterable",
       [](const Value& of) {
         return of.text() != nullptr || of.list() != nullptr || of.mapping() != nullptr || of.is_undefined() ||
                of.is_generator();
       }},
      {"callable", [](const Value& of) { return of.function() != nullptr || of.is_undefined(); }},
  };
  return table;
}

const std::map<std::string_view, TestFunction>& comparing_tests() {
  static const auto negated = [](Expected<bool> result) -> Expected<bool> {
    if (!result) return result;
    return !*result;
  };
  static const TestFunction equals = [](const Value& a, const Value& b) -> Expected<bool> { return equal(a, b); };
  static const TestFunction differs = [](const Value& a, const Value& b) -> Expected<bool> { return !equal(a, b); };
  static const TestFunction smaller = [](const Value& a, const Value& b) { return less(a, b); };
  static const TestFunction larger = [](const Value& a, const Value& b) { return less(b, a); };
  static const TestFunction at_least = [](const Value& a, const Value& b) { return negated(less(a, b)); };
  static const TestFunction at_most = [](const Value& a, const Value& b) { return negated(less(b, a)); };
  static const std::map<std::string_view, TestFunction> table{
      {"equalto", equals},
      {"eq", equals},
      {"==", equals},
      {"ne", differs},
      {"!=", differs},
      {"lt", smaller},
      {"<", smaller},
      {"lessthan", smaller},
      {"gt", larger},
      {">", larger},
      {"greaterthan", larger},
      {"ge", at_least},
      {">=", at_least},
      {"le", at_most},
      {"<=", at_most},
      {"in", [](const Value& of, const Value& in) { return contains(in, of); }},
      {"divisibleby",
       [](const Value& of, const Value& by) -> Expected<bool> {
         if (of.is_float() || by.is_float()) return fail(ErrorCode::unsupported_tokenizer, "divisibleby of a fraction");
         if (!of.integer() || !by.integer() || *by.integer() <= 0) return wrong("divisibleby needs whole numbers");
         return *of.integer() % *by.integer() == 0;
       }},
  };
  return table;
}

}  // namespace

bool goes_item_by_item(std::string_view filter) {
  constexpr auto those =
      std::to_array<std::string_view>({"map", "select", "reject", "selectattr", "rejectattr", "join"});
  return std::ranges::find(those, filter) != those.end();
}

Expected<Value> apply_filter(std::string_view name, const Value& of, const Arguments& arguments) {
  const auto filter = filters().find(name);
  if (filter != filters().end()) return filter->second(of, arguments);
  return fail(ErrorCode::unsupported_tokenizer, "the filter " + printable(name, 40));
}

Expected<bool> apply_test(std::string_view name, const Value& of, const Arguments& arguments) {
  if (const auto test = plain_tests().find(name); test != plain_tests().end()) {
    NATSCOPE_CHECK(arguments.check("a test", {}));
    return test->second(of);
  }
  if (const auto test = comparing_tests().find(name); test != comparing_tests().end()) {
    NATSCOPE_CHECK(arguments.check("a test", {"other"}));
    const Value* const operand = arguments.find(0, "other");
    if (operand == nullptr) return wrong("the test " + std::string(name) + " without what it compares with");
    return test->second(of, *operand);
  }
  if (name == "odd" || name == "even") {
    NATSCOPE_CHECK(arguments.check("a test", {}));
    if (of.is_float()) return fail(ErrorCode::unsupported_tokenizer, std::string(name) + " of a fraction");
    if (!of.integer()) return wrong(std::string(name) + " of " + of.kind());
    return (*of.integer() % 2 != 0) == (name == "odd");
  }
  return fail(ErrorCode::unsupported_tokenizer, "the test “is " + printable(name, 40) + "”");
}

Expected<bool> less(const Value& a, const Value& b) {
  if (a.integer() && b.integer()) return *a.integer() < *b.integer();
  if (a.number() && b.number()) return *a.number() < *b.number();
  // UTF-8's bytes have the order of the characters' numbers.
  if (a.text() != nullptr && b.text() != nullptr) return *a.text() < *b.text();
  if (a.list() != nullptr && b.list() != nullptr) return fail(ErrorCode::unsupported_tokenizer, "the order of lists");
  return wrong(a.kind() + " and " + b.kind() + " have no order");
}

}  // namespace natscope::jinja
