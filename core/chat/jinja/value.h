// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/expected.h"

/// What expressions of a chat template are made of: Python's values, as far as templates see them.
namespace natscope::jinja {

/// What Jinja refuses as well: bad_tokenizer.
[[nodiscard]] Unexpected wrong(std::string message);

class Value;
using List = std::vector<Value>;  ///< a list or a tuple

/// What stands between the brackets of a call.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at a place, or by its name; nullptr when it was not given.
  [[nodiscard]] const Value* find(std::size_t place, std::string_view name) const;
  /// Nothing where it was not given or is None. Errors: bad_tokenizer for what is not a text.
  [[nodiscard]] Expected<std::optional<std::string>> text(std::size_t place, std::string_view name) const;
  /// `otherwise` where it was not given. Errors: bad_tokenizer for what is not a whole number.
  [[nodiscard]] Expected<std::int64_t> integer(std::size_t place, std::string_view name, std::int64_t otherwise) const;
  /// Errors: unsupported_tokenizer, for more arguments, or others, than `names` has.
  [[nodiscard]] Expected<void> check(std::string_view function, const std::vector<std::string_view>& names) const;
};

/// Texts to values, in the order in which they came.
class Mapping {
 public:
  [[nodiscard]] const Value* find(std::string_view key) const;
  void set(std::string key, Value value);
  [[nodiscard]] const std::vector<std::pair<std::string, Value>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, Value>> entries_;
  std::map<std::string, std::size_t, std::less<>> places_;
};

using Function = std::function<Expected<Value>(const Arguments& arguments)>;

/// One value; copies share what is large. Only a namespace() changes once it is made, and a generator that is used up.
class Value {
 public:
  struct Undefined {
    std::string name;  ///< what was looked for, cut short
  };
  struct None {};
  struct Namespace {
    Mapping members;
  };

  Value() : held_(None{}) {}
  Value(bool value) : held_(value) {}
  Value(std::int64_t value) : held_(value) {}
  Value(double value) : held_(value) {}
  Value(std::string text) : held_(std::make_shared<const std::string>(std::move(text))) {}
  Value(const char*) = delete;  // would be a bool
  Value(List items);
  Value(Mapping members);
  Value(std::shared_ptr<Namespace> space) : held_(std::move(space)) {}
  [[nodiscard]] static Value undefined(std::string name);
  /// What map, select, items and reverse give: items that can be gone through once.
  [[nodiscard]] static Value generator(List items);
  /// `weight`: of what a call goes through besides its arguments.
  [[nodiscard]] static Value function(Function function, std::int64_t weight = 0);

  [[nodiscard]] bool is_undefined() const { return std::holds_alternative<Undefined>(held_); }
  [[nodiscard]] bool is_none() const { return std::holds_alternative<None>(held_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(held_); }
  [[nodiscard]] bool is_float() const { return std::holds_alternative<double>(held_); }
  /// As Python has it a truth value counts as a number, too: 0 or 1.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<double> number() const;
  /// nullptr where it is something else.
  [[nodiscard]] const std::string* text() const;
  [[nodiscard]] const List* list() const;
  [[nodiscard]] const Mapping* mapping() const;
  [[nodiscard]] const Function* function() const;
  [[nodiscard]] Namespace* space() const;
  [[nodiscard]] bool is_generator() const;
  /// A generator's items at the first call, nothing after it.
  [[nodiscard]] List take_items() const;

  /// bool(value).
  [[nodiscard]] bool truth() const;
  /// How deep lists and mappings stand in each other: 0 for other values. What holds a namespace or a function is
  /// deeper than anything may be: then nothing can hold itself, and no chain of values is too long to be taken apart.
  [[nodiscard]] int depth() const;
  /// About how many bytes it takes to go through it, everything in it as often as it stands there.
  [[nodiscard]] std::int64_t weight() const;
  /// "a text", "a list", …, for messages.
  [[nodiscard]] std::string kind() const;
  /// The name that an undefined value was looked for by; else empty.
  [[nodiscard]] std::string undefined_name() const;

 private:
  struct Generator {
    List items;
    std::int64_t weight = 0;
  };
  template <class Group>
  struct Measured {
    Group group;
    int depth = 0;
    std::int64_t weight = 0;
  };

  std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const std::string>,
               std::shared_ptr<const Measured<List>>, std::shared_ptr<const Measured<Mapping>>,
               std::shared_ptr<Namespace>, std::shared_ptr<Generator>, std::shared_ptr<const Measured<Function>>>
      held_;
};

/// No filter or method makes a longer text.
inline constexpr std::int64_t most_text_bytes = std::int64_t{256} << 20U;

/// Values deeper than this are refused.
inline constexpr int deepest_value = 100;

/// str(value) of texts, numbers, truth values, None and what is undefined. Errors: unsupported_tokenizer for the
/// others.
[[nodiscard]] Expected<std::string> printed(const Value& value);

/// Whether two values are equal, as Python's == has it.
[[nodiscard]] bool equal(const Value& a, const Value& b);

/// What a loop over the value goes through: a list's items, a mapping's keys, a text's characters, nothing of what is
/// undefined. Errors: bad_tokenizer for what has no items; unsupported_tokenizer for a text of more than a mebibyte.
[[nodiscard]] Expected<List> items_of(const Value& value);

/// len(value). Errors: bad_tokenizer for what has none.
[[nodiscard]] Expected<std::int64_t> length_of(const Value& value);

/// So many items at the most are gone through; O(1), and a generator keeps them.
[[nodiscard]] std::int64_t most_items(const Value& value);

/// `part in whole`. Errors: bad_tokenizer.
[[nodiscard]] Expected<bool> contains(const Value& whole, const Value& part);

/// The characters of a text, each as UTF-8; what is no character stands byte by byte. Costs 16 bytes a character.
[[nodiscard]] std::vector<std::string_view> characters_of(std::string_view text);
[[nodiscard]] std::string_view first_character(std::string_view text);  ///< of a text that is not empty
[[nodiscard]] std::string_view last_character(std::string_view text);   ///< likewise

/// How many characters valid UTF-8 has; and how many bytes stand before the character with a number, or the end.
[[nodiscard]] std::int64_t count_characters(std::string_view text);
[[nodiscard]] std::size_t offset_of_character(std::string_view text, std::int64_t number);

/// json.dumps(value, ensure_ascii=False, indent=…), as Hugging Face's tojson. Errors: unsupported_tokenizer.
[[nodiscard]] Expected<std::string> json_text(const Value& value, std::optional<std::int64_t> indent);

}  // namespace natscope::jinja
