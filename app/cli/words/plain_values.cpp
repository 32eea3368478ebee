// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/words/plain_values.h"

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

/// What a flag's whole numbers are, one letter each, over again where there are more: a layer, a head, a position.
struct PlacesFlag {
  std::string_view flag;
  std::string_view kinds;
};
constexpr auto places_flags = std::to_array<PlacesFlag>({{"--layer", "L"},
                                                         {"--head", "H"},
                                                         {"--queries", "P"},
                                                         {"--keys", "P"},
                                                         {"--attention", "LH"},
                                                         {"--force", "LHP"}});

Error no_such_place(std::string_view flag, char kind, std::string_view number) {
  const bool is_position = kind == 'P';
  const ErrorCode code = is_position   ? ErrorCode::bad_position
                         : kind == 'L' ? ErrorCode::bad_layer
                                       : ErrorCode::bad_head;
  const std::string what = is_position   ? "no text has a position "
                           : kind == 'L' ? "no model has a layer "
                                         : "no model has a head ";
  return make_error(code, std::string(flag) + ": " + what + printable(number, 40));
}

/// `text` with every whole number that no layer, head or position can be set to 0, so that it can be read; the first
/// one is remembered.
std::string existing_places(const PlacesFlag& flag, std::string_view text, std::optional<Error>& beyond) {
  constexpr std::string_view largest = "2147483646";  // how many there are is an int, too
  std::string kept;
  for (std::size_t count = 0; !text.empty(); ++count) {
    const std::size_t begin = std::min(text.find_first_of("0123456789*"), text.size());
    kept += text.substr(0, begin);
    text.remove_prefix(begin);
    if (text.starts_with('*')) {  // stands for a number
      kept += '*';
      text.remove_prefix(1);
      continue;
    }
    const std::string_view number = text.substr(0, text.find_first_not_of("0123456789"));
    const std::string_view counts = number.substr(std::min(number.find_first_not_of('0'), number.size()));
    const bool is_larger = counts.size() > largest.size() || (counts.size() == largest.size() && counts > largest);
    if (is_larger && !beyond) beyond = no_such_place(flag.flag, flag.kinds[count % flag.kinds.size()], number);
    kept += is_larger ? "0" : number;
    text.remove_prefix(number.size());
  }
  return kept;
}

CLI::Validator places_validator(const PlacesFlag& flag, std::optional<Error>& beyond) {
  return {[flag, &beyond](std::string& text) {
            text = existing_places(flag, text, beyond);
            return std::string();
          },
          ""};
}

/// Of a policy's numbers these are positions: longformer:W,P1,P2,…
CLI::Validator policy_validator(std::optional<Error>& beyond) {
  return {[&beyond](std::string& policy) {
            const std::size_t comma = policy.find(',');
            if (policy.starts_with("longformer:") && comma != std::string::npos) {
              const std::string_view positions = std::string_view(policy).substr(comma);
              policy = policy.substr(0, comma) + existing_places({"--policy", "P"}, positions, beyond);
            }
            return std::string();
          },
          ""};
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

void take_plain_values(CLI::App& root, std::optional<Error>& beyond) {
  for (CLI::Option* option : root.get_options()) {
    if (option->get_items_expected_max() == 0) {
      option->disable_flag_override();
      continue;
    }
    // The last one stands first: zeros in front go before numbers are compared.
    const std::string name = option->get_name();
    const auto places = std::ranges::find(places_flags, std::string_view(name), &PlacesFlag::flag);
    if (places != places_flags.end()) option->transform(places_validator(*places, beyond));
    if (name == "--policy") option->transform(policy_validator(beyond));
    if (takes_numbers(*option)) option->transform(CLI::Validator(decimal, ""));
  }
  // Groups of options are commands without a name, and among these.
  for (CLI::App* below : root.get_subcommands([](CLI::App*) { return true; })) take_plain_values(*below, beyond);
}

}  // namespace natscope
