// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/utf8.h"
#include "core/chat/jinja/text.h"

namespace natscope::jinja {
namespace {

constexpr std::int64_t value_bytes = sizeof(Value);
constexpr std::int64_t heaviest = std::int64_t{1} << 40U;  // more than any limit: there it stays
constexpr std::size_t longest_loop_text = std::size_t{1} << 20U;

Unexpected no_such(const std::string& what, const Value& value) {
  if (value.is_undefined()) return wrong("“" + value.undefined_name() + "” is undefined");
  return wrong(value.kind() + " has no " + what);
}

/// repr() of a float: the shortest digits that give it back.
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
  std::array<char, 400> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                 is_plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(digits.data(), end.ptr);
  if (is_plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

class JsonWriter {
 public:
  explicit JsonWriter(std::optional<std::int64_t> indent) : indent_(indent) {}

  Expected<void> write(const Value& value, int depth) {
    if (depth > 64) return fail(ErrorCode::unsupported_tokenizer, "tojson of a value that is nested too deeply");
    if (const std::string* const text = value.text()) {
      out_ += quoted(*text);
      return {};
    }
    if (const List* const list = value.list()) {
      return write_group('[', ']', list->size(), depth, [&](std::size_t i) { return write((*list)[i], depth + 1); });
    }
    if (const Mapping* const mapping = value.mapping()) {
      return write_group('{', '}', mapping->entries().size(), depth, [&](std::size_t i) {
        const auto& [key, member] = mapping->entries()[i];
        out_ += quoted(key) + ": ";
        return write(member, depth + 1);
      });
    }
    if (value.is_none()) {
      out_ += "null";
    } else if (value.is_bool()) {
      out_ += value.truth() ? "true" : "false";
    } else if (value.number()) {
      NATSCOPE_TRY(const std::string number, printed(value));
      out_ += number;
    } else {
      return fail(ErrorCode::unsupported_tokenizer, "tojson of " + value.kind());
    }
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  static std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  template <class WriteItem>
  Expected<void> write_group(char open, char close, std::size_t count, int depth, WriteItem write_item) {
    out_ += open;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out_ += indent_ ? "," : ", ";
      break_line(depth + 1);
      NATSCOPE_CHECK(write_item(i));
    }
    if (count > 0) break_line(depth);
    out_ += close;
    return {};
  }

  void break_line(int depth) {
    if (!indent_) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(*indent_ * depth), ' ');
  }

  std::optional<std::int64_t> indent_;
  std::string out_;
};

}  // namespace

Unexpected wrong(std::string message) { return fail(ErrorCode::bad_tokenizer, std::move(message)); }

const Value* Arguments::find(std::size_t place, std::string_view name) const {
  if (place < positional.size()) return &positional[place];
  const auto found = std::find_if(named.begin(), named.end(), [&](const auto& entry) { return entry.first == name; });
  return found == named.end() ? nullptr : &found->second;
}

Expected<std::optional<std::string>> Arguments::text(std::size_t place, std::string_view name) const {
  const Value* const value = find(place, name);
  if (value == nullptr || value->is_none()) return std::nullopt;
  if (value->text() == nullptr) return wrong(value->kind() + " where a text is needed");
  return *value->text();
}

Expected<std::int64_t> Arguments::integer(std::size_t place, std::string_view name, std::int64_t otherwise) const {
  const Value* const value = find(place, name);
  if (value == nullptr) return otherwise;
  const auto whole = value->integer();
  if (!whole) return wrong(value->kind() + " where a whole number is needed");
  return *whole;
}

Expected<void> Arguments::check(std::string_view function, const std::vector<std::string_view>& names) const {
  if (positional.size() > names.size()) {
    return fail(ErrorCode::unsupported_tokenizer,
                std::string(function) + " with " + std::to_string(positional.size()) + " arguments");
  }
  for (const auto& [name, value] : named) {
    const auto place = std::find(names.begin(), names.end(), name);
    if (place != names.end() && place - names.begin() >= static_cast<std::ptrdiff_t>(positional.size())) continue;
    return fail(ErrorCode::unsupported_tokenizer, std::string(function) + " with " + printable(name, 40) + "=");
  }
  return {};
}

const Value* Mapping::find(std::string_view key) const {
  const auto place = places_.find(key);
  return place == places_.end() ? nullptr : &entries_[place->second].second;
}

void Mapping::set(std::string key, Value value) {
  const auto [place, is_new] = places_.try_emplace(key, entries_.size());
  if (is_new) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    entries_[place->second].second = std::move(value);
  }
}

Value::Value(List items) {
  Measured<List> list{std::move(items), 1, value_bytes};
  for (const Value& item : list.group) {
    list.depth = std::max(list.depth, item.depth() + 1);
    list.weight = std::min(heaviest, list.weight + item.weight());
  }
  held_ = std::make_shared<const Measured<List>>(std::move(list));
}

Value::Value(Mapping members) {
  Measured<Mapping> mapping{std::move(members), 1, value_bytes};
  for (const auto& [key, member] : mapping.group.entries()) {
    mapping.depth = std::max(mapping.depth, member.depth() + 1);
    mapping.weight = std::min(heaviest, mapping.weight + static_cast<std::int64_t>(key.size()) + member.weight());
  }
  held_ = std::make_shared<const Measured<Mapping>>(std::move(mapping));
}

Value Value::undefined(std::string name) {
  constexpr std::size_t longest_name = 60;
  if (name.size() > longest_name) name = printable(name, longest_name);
  Value value;
  value.held_ = Undefined{std::move(name)};
  return value;
}

Value Value::generator(List items) {
  Value value;
  const std::int64_t weight = Value(items).weight();
  value.held_ = std::make_shared<Generator>(Generator{std::move(items), weight});
  return value;
}

Value Value::function(Function function, std::int64_t weight) {
  Value value;
  value.held_ = std::make_shared<const Measured<Function>>(Measured<Function>{std::move(function), 0, weight});
  return value;
}

std::optional<std::int64_t> Value::integer() const {
  if (const auto* const whole = std::get_if<std::int64_t>(&held_)) return *whole;
  if (const auto* const truth = std::get_if<bool>(&held_)) return *truth ? 1 : 0;
  return {};
}

std::optional<double> Value::number() const {
  if (const auto* const number = std::get_if<double>(&held_)) return *number;
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return {};
}

const std::string* Value::text() const {
  const auto* const text = std::get_if<std::shared_ptr<const std::string>>(&held_);
  return text == nullptr ? nullptr : text->get();
}

const List* Value::list() const {
  const auto* const list = std::get_if<std::shared_ptr<const Measured<List>>>(&held_);
  return list == nullptr ? nullptr : &(*list)->group;
}

const Mapping* Value::mapping() const {
  const auto* const mapping = std::get_if<std::shared_ptr<const Measured<Mapping>>>(&held_);
  return mapping == nullptr ? nullptr : &(*mapping)->group;
}

const Function* Value::function() const {
  const auto* const function = std::get_if<std::shared_ptr<const Measured<Function>>>(&held_);
  return function == nullptr ? nullptr : &(*function)->group;
}

Value::Namespace* Value::space() const {
  const auto* const space = std::get_if<std::shared_ptr<Namespace>>(&held_);
  return space == nullptr ? nullptr : space->get();
}

bool Value::is_generator() const { return std::holds_alternative<std::shared_ptr<Generator>>(held_); }

List Value::take_items() const {
  const auto* const generator = std::get_if<std::shared_ptr<Generator>>(&held_);
  return generator == nullptr ? List() : std::exchange((*generator)->items, {});
}

bool Value::truth() const {
  if (is_undefined() || is_none()) return false;
  if (const auto value = number()) return *value != 0;
  if (const std::string* const value = text()) return !value->empty();
  if (const List* const value = list()) return !value->empty();
  if (const Mapping* const value = mapping()) return !value->entries().empty();
  return true;
}

int Value::depth() const {
  if (const auto* const list = std::get_if<std::shared_ptr<const Measured<List>>>(&held_)) return (*list)->depth;
  if (const auto* const mapping = std::get_if<std::shared_ptr<const Measured<Mapping>>>(&held_))
    return (*mapping)->depth;
  return space() != nullptr || function() != nullptr || is_generator() ? deepest_value : 0;
}

std::int64_t Value::weight() const {
  if (const auto* const list = std::get_if<std::shared_ptr<const Measured<List>>>(&held_)) return (*list)->weight;
  if (const auto* const mapping = std::get_if<std::shared_ptr<const Measured<Mapping>>>(&held_))
    return (*mapping)->weight;
  if (const auto* const function = std::get_if<std::shared_ptr<const Measured<Function>>>(&held_))
    return (*function)->weight;
  if (const auto* const generator = std::get_if<std::shared_ptr<Generator>>(&held_)) return (*generator)->weight;
  return value_bytes + (text() != nullptr ? static_cast<std::int64_t>(text()->size()) : 0);
}

std::string Value::kind() const {
  if (is_undefined()) return "something undefined";
  if (is_none()) return "None";
  if (is_bool()) return "a truth value";
  if (number()) return "a number";
  if (text() != nullptr) return "a text";
  if (list() != nullptr) return "a list";
  if (mapping() != nullptr) return "a mapping";
  if (is_generator()) return "a generator";
  return space() != nullptr ? "a namespace" : "a function";
}

std::string Value::undefined_name() const {
  const auto* const undefined = std::get_if<Undefined>(&held_);
  return undefined == nullptr ? std::string() : printable(undefined->name, 60);
}

Expected<std::string> printed(const Value& value) {
  if (value.is_undefined()) return std::string();
  if (value.is_none()) return std::string("None");
  if (const std::string* const text = value.text()) return *text;
  if (value.is_bool()) return std::string(value.truth() ? "True" : "False");
  if (value.is_float()) return float_text(*value.number());
  if (const auto whole = value.integer()) return std::to_string(*whole);
  return fail(ErrorCode::unsupported_tokenizer, value.kind() + " written out");
}

bool equal(const Value& a, const Value& b) {
  if (a.number() && b.number())
    return a.integer() && b.integer() ? a.integer() == b.integer() : a.number() == b.number();
  if (a.text() != nullptr && b.text() != nullptr) return *a.text() == *b.text();
  if (a.list() != nullptr && b.list() != nullptr)
    return std::equal(a.list()->begin(), a.list()->end(), b.list()->begin(), b.list()->end(), equal);
  if (a.mapping() != nullptr && b.mapping() != nullptr) {
    const auto& entries = a.mapping()->entries();
    return entries.size() == b.mapping()->entries().size() &&
           std::all_of(entries.begin(), entries.end(), [&](const auto& entry) {
             const Value* const other = b.mapping()->find(entry.first);
             return other != nullptr && equal(entry.second, *other);
           });
  }
  if (a.space() != nullptr) return a.space() == b.space();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

Expected<List> items_of(const Value& value) {
  if (const List* const list = value.list()) return *list;
  if (value.is_generator()) return value.take_items();
  List items;
  if (value.is_undefined()) return items;
  if (const std::string* const text = value.text()) {
    if (text->size() > longest_loop_text)
      return fail(ErrorCode::unsupported_tokenizer, "a loop over a text of more than a mebibyte");
    for (const std::string_view character : characters_of(*text)) items.emplace_back(std::string(character));
    return items;
  }
  if (const Mapping* const mapping = value.mapping()) {
    for (const auto& [key, member] : mapping->entries()) items.emplace_back(key);
    return items;
  }
  return no_such("items to go through", value);
}

Expected<std::int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const std::string* const text = value.text()) return count_characters(*text);
  if (const List* const list = value.list()) return static_cast<std::int64_t>(list->size());
  if (const Mapping* const mapping = value.mapping()) return static_cast<std::int64_t>(mapping->entries().size());
  return no_such("length", value);
}

std::int64_t most_items(const Value& value) {
  if (const std::string* const text = value.text()) return static_cast<std::int64_t>(text->size());
  return value.weight() / value_bytes;
}

Expected<bool> contains(const Value& whole, const Value& part) {
  if (const std::string* const text = whole.text()) {
    if (part.text() == nullptr) return wrong(part.kind() + " is looked for in a text");
    return find_text(*text, *part.text()) != std::string_view::npos;
  }
  if (const Mapping* const mapping = whole.mapping()) {
    if (part.list() != nullptr || part.mapping() != nullptr)
      return wrong(part.kind() + " is looked for among a mapping's keys");
    return part.text() != nullptr && mapping->find(*part.text()) != nullptr;
  }
  const auto is_among = [&](const List& items) {
    return std::any_of(items.begin(), items.end(), [&](const Value& item) { return equal(item, part); });
  };
  if (whole.list() != nullptr) return is_among(*whole.list());
  NATSCOPE_TRY(const List items, items_of(whole));
  return is_among(items);
}

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> characters;
  characters.reserve(text.size());
  while (!text.empty()) {
    characters.push_back(first_character(text));
    text.remove_prefix(characters.back().size());
  }
  return characters;
}

std::string_view first_character(std::string_view text) {
  return text.substr(0, std::max<std::size_t>(1, utf8_character_length(text)));
}

std::string_view last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && text.size() - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80) --begin;
  return utf8_character_length(text.substr(begin)) == text.size() - begin ? text.substr(begin)
                                                                          : text.substr(text.size() - 1);
}

std::int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80; });
}

std::size_t offset_of_character(std::string_view text, std::int64_t number) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80;
    if (begins && number-- == 0) return at;
  }
  return text.size();
}

Expected<std::string> json_text(const Value& value, std::optional<std::int64_t> indent) {
  if (value.weight() > most_text_bytes) return wrong("tojson of too much");
  if (indent && (*indent < 0 || *indent > 16)) return fail(ErrorCode::unsupported_tokenizer, "tojson with that indent");
  JsonWriter writer(indent);
  NATSCOPE_CHECK(writer.write(value, 0));
  return writer.take();
}

}  // namespace natscope::jinja
