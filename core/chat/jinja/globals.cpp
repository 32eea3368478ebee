// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/jinja/globals.h"

#include <array>

namespace natscope::jinja {
namespace {

constexpr std::int64_t longest_range = 100'000;  // as Jinja's sandbox has it
constexpr std::int64_t farthest = std::int64_t{1} << 40U;
constexpr std::size_t most_members = 1000;

/// strftime of a time here, with English names: only the fields that are the same in every locale, and those.
Expected<Value> formatted_time(std::time_t now, const Arguments& arguments) {
  NATSCOPE_CHECK(arguments.check("strftime_now", {"format"}));
  const Value* const given = arguments.find(0, "format");
  if (given == nullptr || given->text() == nullptr) return fail(ErrorCode::bad_tokenizer, "strftime_now needs a text");
  std::tm time{};
  localtime_r(&now, &time);
  constexpr std::string_view known = "aAbBdHIjmMpSyY%";
  const std::string& format = *given->text();
  for (std::size_t at = format.find('%'); at != std::string::npos; at = format.find('%', at + 2)) {
    if (at + 1 >= format.size() || known.find(format[at + 1]) == std::string_view::npos)
      return fail(ErrorCode::unsupported_tokenizer, "strftime_now with " + printable(format.substr(at, 2)));
  }
  if (format.empty()) return Value(std::string());
  // The program never sets a locale, so that strftime speaks English.
  std::string text(format.size() * 16, '\0');
  text.resize(std::strftime(text.data(), text.size(), format.c_str(), &time));
  return Value(std::move(text));
}

Expected<Value> range(const Arguments& arguments) {
  std::array<std::int64_t, 3> bounds{0, 0, 1};
  const std::size_t count = arguments.positional.size();
  if (count < 1 || count > 3 || !arguments.named.empty())
    return fail(ErrorCode::bad_tokenizer, "range takes one to three whole numbers");
  for (std::size_t i = 0; i < count; ++i) {
    const auto whole = arguments.positional[i].integer();
    if (!whole) return fail(ErrorCode::bad_tokenizer, "range takes one to three whole numbers");
    if (*whole > farthest || *whole < -farthest)
      return fail(ErrorCode::unsupported_tokenizer, "a range with a number above 2^40");
    bounds[count == 1 ? 1 : i] = *whole;
  }
  const auto [begin, end, step] = bounds;
  if (step == 0) return fail(ErrorCode::bad_tokenizer, "a range with a step of zero");
  List numbers;
  for (std::int64_t at = begin; step > 0 ? at < end : at > end; at += step) {
    if (static_cast<std::int64_t>(numbers.size()) == longest_range)
      return fail(ErrorCode::bad_tokenizer, "a range of more than 100000 numbers");
    numbers.emplace_back(at);
  }
  return Value(std::move(numbers));
}

Expected<Value> dict(const Arguments& arguments) {
  if (!arguments.positional.empty()) return fail(ErrorCode::unsupported_tokenizer, "dict of a value");
  Mapping mapping;
  for (const auto& [name, value] : arguments.named) mapping.set(name, value);
  return Value(std::move(mapping));
}

Expected<Value> make_namespace(const Arguments& arguments) {
  auto space = std::make_shared<Value::Namespace>();
  for (const Value& members : arguments.positional) {
    if (members.mapping() == nullptr) return fail(ErrorCode::bad_tokenizer, "namespace of " + members.kind());
    NATSCOPE_CHECK(check_member(members));
    if (members.mapping()->entries().size() > most_members)
      return fail(ErrorCode::unsupported_tokenizer, "a namespace of more than 1000 names");
    for (const auto& [name, value] : members.mapping()->entries()) space->members.set(name, value);
  }
  for (const auto& [name, value] : arguments.named) {
    NATSCOPE_CHECK(check_member(value));
    space->members.set(name, value);
  }
  return Value(std::move(space));
}

Expected<Value> raise_exception(const Arguments& arguments) {
  const Value* const message = arguments.find(0, "message");
  const bool has_reason = message != nullptr && message->text() != nullptr;
  return fail(ErrorCode::bad_text,
              "the chat template refuses this: " + (has_reason ? printable(*message->text()) : "no reason given"),
              "write the marks of a turn into the prompt by hand");
}

}  // namespace

Expected<void> check_member(const Value& value) {
  if (value.depth() < deepest_value) return {};
  return fail(ErrorCode::unsupported_tokenizer, "a namespace with a function or a namespace in it");
}

Mapping global_functions(std::time_t now) {
  Mapping functions;
  functions.set("range", Value::function(range));
  functions.set("dict", Value::function(dict));
  functions.set("namespace", Value::function(make_namespace));
  functions.set("raise_exception", Value::function(raise_exception));
  functions.set("strftime_now",
                Value::function([now](const Arguments& arguments) { return formatted_time(now, arguments); }));
  return functions;
}

}  // namespace natscope::jinja
