// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/words/parse_words.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "app/cli/words/nearest_word.h"

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

bool is_whole(std::string_view text) {
  if (text.starts_with("-") || text.starts_with("+")) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;  // not in the help
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

std::vector<std::string> commands_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* below : command.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); }))
    names.push_back(below->get_name());
  return names;
}

/// The innermost command that was named.
const CLI::App& reached(const CLI::App& root) {
  const CLI::App* at = &root;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

/// "did you mean --text? see natscope-cli eval --help", or the second half alone.
std::string hint(const CLI::App& root, const std::string& word, const std::vector<std::string>& known) {
  const auto meant = nearest_word(word, known);
  const std::string see = help_hint(root);
  return meant ? "did you mean " + *meant + "? " + see : see;
}

/// A flag or word that the command does not know. Nothing where it knows them all.
std::optional<Error> unknown_word_error(const CLI::App& root) {
  const CLI::App& command = reached(root);
  const std::vector<std::string> before_command = root.remaining(false);
  if (!before_command.empty() && before_command.front().starts_with("-")) {
    return make_error(ErrorCode::usage, "a command comes first, not " + given(before_command.front()), help_hint(root));
  }
  const std::string program = "natscope-cli" + named_command(root);
  const std::vector<std::string> commands = commands_of(command);
  const std::vector<std::string> words = root.remaining(true);
  const auto flag = std::ranges::find_if(words, [](const std::string& word) { return word.starts_with("-"); });
  if (&command != &root && flag != words.end()) {
    const std::string name = flag->substr(0, flag->find('='));
    return make_error(ErrorCode::usage, program + " has no flag " + given(name), hint(root, name, flags_of(command)));
  }
  if (words.empty()) return std::nullopt;
  const std::string& word = words.front();
  const std::string what = commands.empty()    ? program + " cannot do anything with "
                           : &command == &root ? "there is no command "
                                               : program + " has no command ";
  return make_error(ErrorCode::usage, what + given(word), hint(root, word, commands));
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
  if (problem.starts_with("takes ")) return std::string(option).append(" ").append(problem);
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
  if (is_whole(value)) return std::string(text.substr(0, at)) + " cannot be " + std::string(printable(value, 60));
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

std::string help_hint(const CLI::App& root) { return "see natscope-cli" + named_command(root) + " --help"; }

Error usage_error(const CLI::ParseError& problem, const CLI::App& root) {
  const std::string text = problem.what();
  std::optional<std::string> words;
  const bool lacks = dynamic_cast<const CLI::RequiredError*>(&problem) != nullptr;
  if (lacks || dynamic_cast<const CLI::ExtrasError*>(&problem) != nullptr) {
    // What is missing may be there under a name that is none.
    if (auto unknown = unknown_word_error(root)) return *std::move(unknown);
    const auto option = before(text, " is required");
    if (option) words = *option == "A subcommand" ? "no command is named" : std::string(*option) + " is missing";
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
  }
  return make_error(ErrorCode::usage, words.value_or(text), help_hint(root));
}

}  // namespace natscope
