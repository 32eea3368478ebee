// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/plain_values.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/base/error.h"

namespace natscope {
namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

/// Takes zeros in front away; what is no number is left to the parser and its words.
std::string decimal(std::string& text) {
  const std::size_t first = text.find_first_not_of("+- \t");
  if (first == std::string::npos || text[first] != '0' || first + 1 == text.size()) return {};
  if (const char next = text[first + 1]; next != '.' && next != 'e' && next != 'E' && !is_digit(next)) {
    return "\"" + printable(text, 60) + "\" is no decimal number";
  }
  std::size_t keep = first;
  while (keep + 1 < text.size() && text[keep] == '0' && is_digit(text[keep + 1])) ++keep;
  text.erase(first, keep - first);
  return {};
}

/// Whole numbers in `text` that no layer, head or position can be become the largest one, which is none either.
std::string within_places(std::string_view text) {
  constexpr std::string_view largest = "2147483647";
  std::string kept;
  while (!text.empty()) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view number = text.substr(0, digits);
    const std::string_view counts = number.substr(std::min(number.find_first_not_of('0'), number.size()));
    const bool is_larger = counts.size() > largest.size() || (counts.size() == largest.size() && counts > largest);
    kept += is_larger ? largest : number;
    text.remove_prefix(digits);
    const std::size_t others = std::min(text.find_first_of("0123456789"), text.size());
    kept += text.substr(0, others);
    text.remove_prefix(others);
  }
  return kept;
}

std::string existing_places(std::string& text) {
  text = within_places(text);
  return {};
}

/// Of a policy's numbers these are positions: longformer:W,P1,P2,…
std::string existing_positions(std::string& policy) {
  const std::size_t comma = policy.find(',');
  if (policy.starts_with("longformer:") && comma != std::string::npos) {
    policy = policy.substr(0, comma) + within_places(std::string_view(policy).substr(comma));
  }
  return {};
}

bool names_places(const CLI::Option& option) {
  constexpr std::array names{"--layer", "--head", "--queries", "--keys", "--attention", "--force"};
  return std::ranges::find(names, option.get_name()) != names.end();
}

/// By the name that the help gives its value, "N" of "N:INT in [0 - 9]".
bool takes_numbers(const CLI::Option& option) {
  constexpr auto names = std::to_array<std::string_view>(
      {"N", "K", "L", "H", "W", "P", "X", "INT", "UINT", "FLOAT", "L1,L2,…", "W1,W2,…"});
  const std::string type = option.get_type_name();
  return std::ranges::find(names, std::string_view(type).substr(0, type.find(':'))) != names.end();
}

}  // namespace

std::vector<std::string> given_words(int argc, const char* const* argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    const bool is_empty_value = word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1;
    if (is_empty_value) word.pop_back();
    words.push_back(std::move(word));
    if (is_empty_value) words.emplace_back();
  }
  return words;
}

void take_plain_values(CLI::App& root) {
  for (CLI::Option* option : root.get_options()) {
    if (option->get_items_expected_max() == 0) {
      option->disable_flag_override();
      continue;
    }
    // The last one stands first: zeros in front go before numbers are compared.
    if (names_places(*option)) option->transform(CLI::Validator(existing_places, ""));
    if (option->get_name() == "--policy") option->transform(CLI::Validator(existing_positions, ""));
    if (takes_numbers(*option)) option->transform(CLI::Validator(decimal, ""));
  }
  // Groups of options are commands without a name, and among these.
  for (CLI::App* below : root.get_subcommands([](CLI::App*) { return true; })) take_plain_values(*below);
}

}  // namespace natscope
