// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/methods.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/utf8.h"
#include "core/chat/jinja/filters.h"
#include "core/chat/jinja/text.h"

namespace natscope::jinja {
namespace {

Expected<std::string> needed_text(const Arguments& arguments, std::size_t place) {
  NATSCOPE_TRY(auto text, arguments.text(place, {}));
  if (!text) return wrong("a text is missing in a call");
  return *std::move(text);
}

using TextMethod = Expected<Value> (*)(const std::string& text, const Arguments& arguments);

template <Sides sides>
Expected<Value> strip(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("strip", {""}));
  NATSCOPE_TRY(const auto characters, arguments.text(0, {}));
  return Value(std::string(stripped(text, characters, sides)));
}

template <bool from_the_right>
Expected<Value> split_text(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("split", {"sep", "maxsplit"}));
  const Value* const named = arguments.find(0, "sep");
  std::optional<std::string> separator;
  if (named != nullptr && !named->is_none()) {
    if (named->text() == nullptr || named->text()->empty()) return wrong("split at what is not text");
    separator = *named->text();
  }
  NATSCOPE_TRY(const std::int64_t most, arguments.integer(1, "maxsplit", -1));
  List parts;
  for (const std::string_view part : split(text, separator, most, from_the_right))
    parts.emplace_back(std::string(part));
  return Value(std::move(parts));
}

/// startswith and endswith, of one text or of several.
template <bool at_start>
Expected<Value> has_end(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check(at_start ? "startswith" : "endswith", {""}));
  const Value* const given = arguments.find(0, {});
  if (given == nullptr) return wrong("startswith and endswith need a text");
  const List texts = given->list() != nullptr ? *given->list() : List{*given};
  bool is_one = false;
  for (const Value& part : texts) {
    if (part.text() == nullptr) return wrong(part.kind() + " where a text is needed");
    is_one = is_one || (at_start ? text.starts_with(*part.text()) : text.ends_with(*part.text()));
  }
  return Value(is_one);
}

template <LetterCase letters>
Expected<Value> letter_case(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("a method of letters", {}));
  NATSCOPE_TRY(std::string changed, in_case(text, letters));
  return Value(std::move(changed));
}

Expected<Value> replace(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("replace", {"old", "new", "count"}));
  NATSCOPE_TRY(const std::string from, needed_text(arguments, 0));
  NATSCOPE_TRY(const std::string to, needed_text(arguments, 1));
  NATSCOPE_TRY(const std::int64_t most, arguments.integer(2, "count", -1));
  if (from.empty()) return fail(ErrorCode::unsupported_tokenizer, "replace of nothing");
  NATSCOPE_TRY(std::string made, replaced(text, from, to, most));
  return Value(std::move(made));
}

/// find and rfind, in characters.
template <bool from_the_right>
Expected<Value> find(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("find", {"sub"}));
  NATSCOPE_TRY(const std::string part, needed_text(arguments, 0));
  const std::size_t at = from_the_right ? text.rfind(part) : find_text(text, part);
  if (at == std::string::npos) return Value(std::int64_t{-1});
  return Value(count_characters(std::string_view(text).substr(0, at)));
}

Expected<Value> count(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("count", {"sub"}));
  NATSCOPE_TRY(const std::string part, needed_text(arguments, 0));
  if (part.empty()) return fail(ErrorCode::unsupported_tokenizer, "count of nothing");
  return Value(static_cast<std::int64_t>(split(text, part, -1, false).size()) - 1);
}

Expected<Value> join(const std::string& text, const Arguments& arguments) {
  if (arguments.positional.size() != 1) return wrong("join needs one list");
  Arguments between;
  between.positional.emplace_back(text);
  return apply_filter("join", arguments.positional.front(), between);
}

template <bool at_start>
Expected<Value> remove_end(const std::string& text, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check(at_start ? "removeprefix" : "removesuffix", {"part"}));
  NATSCOPE_TRY(const std::string part, needed_text(arguments, 0));
  if (at_start ? !text.starts_with(part) : !text.ends_with(part)) return Value(text);
  return Value(at_start ? text.substr(part.size()) : text.substr(0, text.size() - part.size()));
}

/// format, of {} alone: one argument after another.
Expected<Value> format(const std::string& text, const Arguments& arguments) {
  const auto parts = split(text, "{}", -1, false);
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].find_first_of("{}") != std::string_view::npos || !arguments.named.empty())
      return fail(ErrorCode::unsupported_tokenizer, "format of more than {}");
    out += parts[i];
    if (static_cast<std::int64_t>(out.size()) > most_text_bytes) return wrong("format makes too long a text");
    if (i + 1 == parts.size()) break;
    if (i >= arguments.positional.size()) return wrong("format with too few arguments");
    NATSCOPE_TRY(const std::string value, printed(arguments.positional[i]));
    out += value;
  }
  return Value(std::move(out));
}

const std::map<std::string_view, TextMethod>& text_methods() {
  static const std::map<std::string_view, TextMethod> table{
      {"strip", strip<Sides::both>},
      {"lstrip", strip<Sides::left>},
      {"rstrip", strip<Sides::right>},
      {"split", split_text<false>},
      {"rsplit", split_text<true>},
      {"startswith", has_end<true>},
      {"endswith", has_end<false>},
      {"lower", letter_case<LetterCase::lower>},
      {"upper", letter_case<LetterCase::upper>},
      {"title", letter_case<LetterCase::title>},
      {"capitalize", letter_case<LetterCase::capitalized>},
      {"replace", replace},
      {"find", find<false>},
      {"rfind", find<true>},
      {"count", count},
      {"join", join},
      {"format", format},
      {"removeprefix", remove_end<true>},
      {"removesuffix", remove_end<false>},
  };
  return table;
}

/// The method of a mapping; nothing where it has none of that name.
std::optional<Value> mapping_method(const Value& of, std::string_view name) {
  if (name == "get") {
    return Value::function([of](const Arguments& arguments) -> Expected<Value> {
      NATSCOPE_CHECK(arguments.check("get", {"key", "default"}));
      if (arguments.positional.empty()) return wrong("get needs a key");
      const Value& key = arguments.positional.front();
      const Value* const found = key.text() != nullptr ? of.mapping()->find(*key.text()) : nullptr;
      if (found != nullptr) return *found;
      const Value* const otherwise = arguments.find(1, "default");
      return otherwise != nullptr ? *otherwise : Value();
    });  // a lookup, which costs nothing
  }
  if (name == "items" || name == "keys" || name == "values") {
    return Value::function(
        [of, what = std::string(name)](const Arguments& arguments) -> Expected<Value> {
          NATSCOPE_CHECK(arguments.check(what, {}));
          List list;
          for (const auto& [key, value] : of.mapping()->entries()) {
            list.push_back(what == "keys" ? Value(key) : what == "values" ? value : Value(List{Value(key), value}));
          }
          return Value(std::move(list));
        },
        of.weight());
  }
  return {};
}

/// What Python's texts, mappings and lists have besides: refused, where a name that they do not have is undefined.
Expected<Value> other_attribute(const Value& of, std::string_view name) {
  static const std::set<std::string_view> of_texts{
      "casefold",    "center",  "encode",     "expandtabs", "format_map",   "index",     "isalnum",
      "isalpha",     "isascii", "isdecimal",  "isdigit",    "isidentifier", "islower",   "isnumeric",
      "isprintable", "isspace", "istitle",    "isupper",    "ljust",        "maketrans", "partition",
      "rindex",      "rjust",   "rpartition", "splitlines", "swapcase",     "translate", "zfill"};
  static const std::set<std::string_view> of_mappings{"clear",   "copy",       "fromkeys", "pop",
                                                      "popitem", "setdefault", "update"};
  static const std::set<std::string_view> of_lists{"append", "clear", "copy",   "count",   "extend", "index",
                                                   "insert", "pop",   "remove", "reverse", "sort"};
  const bool is_known = (of.text() != nullptr && of_texts.contains(name)) ||
                        (of.mapping() != nullptr && of_mappings.contains(name)) ||
                        (of.list() != nullptr && of_lists.contains(name)) || name.starts_with("__");
  if (!is_known) return Value::undefined(std::string(name));
  return fail(ErrorCode::unsupported_tokenizer, printable(name, 40) + " of " + of.kind());
}

}  // namespace

Expected<Value> attribute_of(const Value& of, std::string_view name) {
  if (of.is_undefined())
    return wrong("“" + of.undefined_name() + "” is undefined, and has no “" + printable(name, 40) + "”");
  if (const std::string* const text = of.text()) {
    const auto method = text_methods().find(name);
    if (method == text_methods().end()) return other_attribute(of, name);
    return Value::function(
        [of, call = method->second](const Arguments& arguments) { return call(*of.text(), arguments); }, of.weight());
  }
  if (of.mapping() != nullptr) {
    if (auto method = mapping_method(of, name)) return *std::move(method);
    NATSCOPE_TRY(Value missing, other_attribute(of, name));  // Python's methods come before members
    const Value* const member = of.mapping()->find(name);
    return member != nullptr ? *member : std::move(missing);
  }
  if (Value::Namespace* const space = of.space()) {
    const Value* const member = space->members.find(name);
    return member != nullptr ? *member : Value::undefined(std::string(name));
  }
  return other_attribute(of, name);
}

Expected<Value> item_of(const Value& of, const Value& index) {
  if (const std::string* const key = index.text()) {
    if (of.mapping() != nullptr) {
      if (const Value* const member = of.mapping()->find(*key)) return *member;
    }
    return attribute_of(of, *key);
  }
  if (of.is_undefined()) return wrong("“" + of.undefined_name() + "” is undefined, and has no items");
  const auto whole = index.integer();
  if (!whole || (of.list() == nullptr && of.text() == nullptr)) return Value::undefined("item");
  NATSCOPE_TRY(const std::int64_t size, length_of(of));
  const std::int64_t place = *whole < 0 ? *whole + size : *whole;
  if (place < 0 || place >= size) return Value::undefined("item " + std::to_string(*whole));
  if (of.list() != nullptr) return (*of.list())[static_cast<std::size_t>(place)];
  const std::string& text = *of.text();
  const std::size_t begin = offset_of_character(text, place);
  return Value(text.substr(begin, utf8_character_length(std::string_view(text).substr(begin))));
}

}  // namespace natscope::jinja
