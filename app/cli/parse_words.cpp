// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/parse_words.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace natscope {
namespace {

/// Shown as given: what a person typed may hold anything.
std::string given(std::string_view text) { return "\"" + printable(text, 60) + "\""; }

std::optional<std::string_view> before(std::string_view text, std::string_view end) {
  if (!text.ends_with(end)) return std::nullopt;
  return text.substr(0, text.size() - end.size());
}

/// The parts of "A<middle>B", cut at the last <middle>: what a person typed stands in A.
std::optional<std::pair<std::string_view, std::string_view>> around(std::string_view text, std::string_view middle) {
  const std::size_t at = text.rfind(middle);
  if (at == std::string_view::npos) return std::nullopt;
  return std::pair(text.substr(0, at), text.substr(at + middle.size()));
}

/// "--name: rest", as the parser puts an option's name before what is wrong with it.
std::optional<std::pair<std::string_view, std::string_view>> named(std::string_view text) {
  const std::size_t at = text.find(": ");
  if (at == std::string_view::npos) return std::nullopt;
  return std::pair(text.substr(0, at), text.substr(at + 2));
}

/// "a,b,c" → "a, b or c".
std::string listed(std::string_view choices) {
  std::string words;
  while (!choices.empty()) {
    const std::size_t comma = std::min(choices.find(','), choices.size());
    const bool is_last = comma == choices.size();
    if (!words.empty()) words += is_last ? " or " : ", ";
    words += choices.substr(0, comma);
    choices.remove_prefix(std::min(comma + 1, choices.size()));
  }
  return words;
}

bool is_number(std::string_view text) {
  double number = 0;
  return CLI::detail::lexical_cast(std::string(text), number);
}

std::string unknown_words(const CLI::App& root) {
  const std::vector<std::string> words = root.remaining(true);
  const std::string command = named_command(root);
  const std::string program = "natscope-cli" + command;
  const auto flag = std::ranges::find_if(words, [](const std::string& word) { return word.starts_with("-"); });
  if (flag != words.end()) return program + " has no flag " + given(flag->substr(0, flag->find('=')));
  return words.empty() ? program + " is given too much" : program + " cannot do anything with " + given(words.front());
}

std::optional<std::string> range_words(std::string_view option, std::string_view problem) {
  if (!problem.starts_with("Value ")) return std::nullopt;
  const auto parts = around(problem.substr(6), " not in range ");
  if (!parts) return std::nullopt;
  const bool is_whole = parts->second.find('.') == std::string_view::npos;
  return std::string(option) + " takes a " + (is_whole ? "whole number" : "number") + " from " +
         std::string(parts->second) + ", not " + given(parts->first);
}

std::optional<std::string> choice_words(std::string_view option, std::string_view problem) {
  const auto inner = before(problem, "}");
  const auto parts = inner ? around(*inner, " not in {") : std::nullopt;
  if (!parts) return std::nullopt;
  return std::string(option) + " takes " + listed(parts->second) + ", not " + given(parts->first);
}

std::optional<std::string> value_words(std::string_view text) {
  const auto parts = named(text);
  if (!parts) return std::nullopt;
  const auto& [option, problem] = *parts;
  if (auto words = range_words(option, problem)) return words;
  return choice_words(option, problem);
}

std::optional<std::string> conversion_words(std::string_view text) {
  constexpr std::string_view begin = "Could not convert: ";
  if (!text.starts_with(begin)) return std::nullopt;
  text.remove_prefix(begin.size());
  const std::size_t at = text.find(" = ");
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view value = text.substr(at + 3);
  return std::string(text.substr(0, at)) + " takes a " + (is_number(value) ? "whole number" : "number") + ", not " +
         given(value);
}

std::optional<std::string> count_words(std::string_view text) {
  // Here alone the parser leaves the dashes out.
  if (const auto option = before(text, " was given a disallowed flag override"))
    return (option->starts_with("-") ? "" : "--") + std::string(*option) + " is a switch and takes no value";
  const auto parts = named(text);
  if (!parts) return std::nullopt;
  const auto& [option, problem] = *parts;
  if (problem.starts_with("At Most 1 required")) return std::string(option) + " is given more than once";
  if (const auto missing = before(problem, " missing"); missing && missing->starts_with("1 required "))
    return std::string(option) + " needs a value";
  return std::nullopt;
}

std::optional<std::string> pair_words(std::string_view text, std::string_view middle, std::string_view between,
                                      std::string_view after) {
  const auto parts = around(text, middle);
  if (!parts) return std::nullopt;
  return std::string(parts->first).append(between).append(parts->second).append(after);
}

}  // namespace

std::string named_command(const CLI::App& root) {
  std::string name;
  for (const CLI::App* at = &root;;) {
    const auto below = at->get_subcommands();
    if (below.empty()) return name;
    at = below.front();
    name += " " + at->get_name();
  }
}

std::string in_words(const CLI::ParseError& problem, const CLI::App& root) {
  const std::string text = problem.what();
  std::optional<std::string> words;
  if (dynamic_cast<const CLI::ExtrasError*>(&problem) != nullptr) {
    words = unknown_words(root);
  } else if (dynamic_cast<const CLI::ValidationError*>(&problem) != nullptr) {
    words = value_words(text);
  } else if (dynamic_cast<const CLI::ConversionError*>(&problem) != nullptr) {
    words = conversion_words(text);
  } else if (dynamic_cast<const CLI::ArgumentMismatch*>(&problem) != nullptr) {
    words = count_words(text);
  } else if (dynamic_cast<const CLI::ExcludesError*>(&problem) != nullptr) {
    words = pair_words(text, " excludes ", " and ", " exclude each other");
  } else if (dynamic_cast<const CLI::RequiresError*>(&problem) != nullptr) {
    words = pair_words(text, " requires ", " needs ", "");
  } else if (dynamic_cast<const CLI::RequiredError*>(&problem) != nullptr) {
    const auto option = before(text, " is required");
    if (option) words = *option == "A subcommand" ? "no command is named" : std::string(*option) + " is missing";
  }
  return words.value_or(text);
}

}  // namespace natscope
