// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

#include "core/cache/policy_names.h"

namespace natscope {

namespace {

using kernels::BudgetSpread;
using kernels::EntryScores;
using Kind = Policy::Kind;

/// By what a kind without roles keeps entries: kernels::ScoreRule without its numbers.
struct Scoring {
  EntryScores scores = EntryScores::of_all_queries;
  BudgetSpread spread = BudgetSpread::even;
};

struct KindRow {
  Kind kind;
  std::string_view name;     ///< in front of the colon
  std::string_view numbers;  ///< behind it, as a hint spells them; empty: there is no colon
  std::string_view family;
  std::optional<Scoring> scoring{};  ///< of a kind without roles
};

/// All kinds of policies, in the enumeration's order.
constexpr std::array<KindRow, 10> kinds{{
    {Kind::model, "model", "", "learned roles"},
    {Kind::full, "full", "", "full attention"},
    {Kind::window, "window", "W", "sliding window"},
    {Kind::longformer, "longformer", "W,P1,P2,…", "Longformer"},
    {Kind::streaming, "streaming", "SINKS,WINDOW", "StreamingLLM"},
    {Kind::h2o, "h2o", "HEAVY,RECENT", "H2O", Scoring{EntryScores::of_all_queries}},
    {Kind::tova, "tova", "SIZE", "TOVA", Scoring{EntryScores::of_last_query}},
    {Kind::snapkv, "snapkv", "SIZE,WINDOW", "SnapKV", Scoring{EntryScores::of_prompt_end}},
    {Kind::pyramidkv, "pyramidkv", "SIZE,WINDOW", "PyramidKV",
     Scoring{EntryScores::of_prompt_end, BudgetSpread::by_layer}},
    {Kind::adakv, "adakv", "SIZE,WINDOW", "Ada-KV", Scoring{EntryScores::of_prompt_end, BudgetSpread::by_score}},
}};

const KindRow& row_of(Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }

/// By the part in front of the colon; null: no kind of policies is called so.
const KindRow* find_row(std::string_view policy) {
  const auto* const row = std::ranges::find(kinds, policy.substr(0, policy.find(':')), &KindRow::name);
  return row == kinds.end() ? nullptr : row;
}

/// "a, b or c".
std::string in_words(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) {
    if (&word != &words.front()) text += &word == &words.back() ? " or " : ", ";
    text += word;
  }
  return text;
}

/// `what` is wrong, in words that do not name the policy.
Unexpected refuse(std::string what) {
  return fail(ErrorCode::bad_policy, std::move(what), "use " + policy_forms_in_words() + " with whole numbers");
}

/// A whole number from 0 to the largest position; nothing for anything else.
std::optional<std::int64_t> parse_count(std::string_view digits) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool plain =
      !digits.empty() && digits.front() != '-' && error == std::errc() && end == digits.data() + digits.size();
  if (!plain || number > std::numeric_limits<std::int32_t>::max()) return {};
  return number;
}

/// The numbers after the colon, separated by commas.
Expected<std::vector<std::int64_t>> parse_numbers(std::string_view list) {
  std::vector<std::int64_t> numbers;
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view digits = list.substr(0, comma);
    const std::optional<std::int64_t> number = parse_count(digits);
    if (!number)
      return refuse(std::string("\"").append(printable(digits)) + "\" is no whole number from 0 to 2147483647");
    numbers.push_back(*number);
    if (comma == std::string_view::npos) return numbers;
    list.remove_prefix(comma + 1);
  }
}

Expected<void> require_count(std::span<const std::int64_t> numbers, std::size_t count) {
  if (numbers.size() == count) return {};
  return refuse("takes " + std::to_string(count) + (count == 1 ? " number" : " numbers") + ", not " +
                std::to_string(numbers.size()));
}

/// The reason alone is its error's message.
Expected<Policy> read_policy(std::string_view text) {
  const KindRow* const row = find_row(text);
  const std::size_t colon = text.find(':');
  const bool has_colon = colon != std::string_view::npos;
  if (row == nullptr || (row->numbers.empty() && has_colon)) return refuse("no such policy");
  Policy policy;
  policy.kind = row->kind;
  if (row->numbers.empty()) return policy;
  if (!has_colon) return refuse("its numbers are missing");
  NATSCOPE_TRY(const std::vector<std::int64_t> numbers, parse_numbers(text.substr(colon + 1)));
  if (row->kind != Kind::longformer)
    NATSCOPE_CHECK(require_count(numbers, 1 + static_cast<std::size_t>(std::ranges::count(row->numbers, ','))));

  switch (row->kind) {
    case Kind::model:
    case Kind::full:
      break;
    case Kind::window:
      policy.window = numbers[0];
      break;
    case Kind::longformer: {
      policy.window = numbers[0];
      for (const std::int64_t position : std::span(numbers).subspan(1))
        policy.global_positions.emplace_back(static_cast<std::int32_t>(position));
      std::ranges::sort(policy.global_positions);
      const auto repeated = std::ranges::unique(policy.global_positions);
      policy.global_positions.erase(repeated.begin(), repeated.end());
      break;
    }
    case Kind::streaming:
      policy.sinks = numbers[0];
      policy.window = numbers[1];
      break;
    case Kind::h2o:
      policy.heavy = numbers[0];
      policy.recent = numbers[1];
      break;
    case Kind::tova:
      policy.heavy = numbers[0];
      break;
    case Kind::snapkv:
    case Kind::pyramidkv:
    case Kind::adakv:
      if (numbers[1] < 1)
        return refuse("WINDOW is 0, but what the prompt's last WINDOW tokens look at is what is kept");
      if (numbers[1] > numbers[0])
        return refuse("WINDOW is " + std::to_string(numbers[1]) + ", more than the SIZE of " +
                      std::to_string(numbers[0]) + " entries that are kept with it in all");
      policy.heavy = numbers[0] - numbers[1];
      policy.recent = numbers[1];
      break;
  }
  return policy;
}

}  // namespace

Expected<Policy> parse_policy(std::string_view text) {
  Expected<Policy> policy = read_policy(text);
  if (!policy) policy.error().message.insert(0, "cache policy \"" + printable(text) + "\": ");
  return policy;
}

std::vector<std::string> policy_names() {
  std::vector<std::string> names;
  for (const KindRow& row : kinds) names.emplace_back(row.name);
  return names;
}

std::string policy_name(Policy::Kind kind) { return std::string(row_of(kind).name); }

std::string policies_in_words() { return in_words(policy_names()); }

std::string policies_without_roles_in_words() {
  std::vector<std::string> names;
  for (const KindRow& row : kinds) {
    if (row.scoring) names.emplace_back(row.name);
  }
  return in_words(names);
}

std::string policy_forms_in_words() {
  std::vector<std::string> forms;
  for (const KindRow& row : kinds) {
    std::string& form = forms.emplace_back(row.name);
    if (!row.numbers.empty()) form.append(":").append(row.numbers);
  }
  return in_words(forms);
}

std::string policy_problem(std::string_view text) {
  const Expected<Policy> policy = read_policy(text);
  return policy ? std::string() : policy.error().message;
}

std::optional<kernels::ScoreRule> score_rule(const Policy& policy) {
  const std::optional<Scoring>& scoring = row_of(policy.kind).scoring;
  if (!scoring) return {};
  return kernels::ScoreRule{policy.heavy, policy.recent, scoring->scores, scoring->spread};
}

bool drops_behind_prompt(Policy::Kind kind) {
  const std::optional<Scoring>& scoring = row_of(kind).scoring;
  return scoring && scoring->scores == EntryScores::of_prompt_end;
}

bool drops_behind_prompt(const Policy& policy) { return drops_behind_prompt(policy.kind); }

bool has_roles(const Policy& policy) { return !row_of(policy.kind).scoring; }

bool has_roles(std::string_view policy) {
  if (policy.empty()) return true;  // of a trace that does not name one
  const KindRow* const row = find_row(policy);
  return row != nullptr && !row->scoring;
}

std::string method_name(std::string_view policy) {
  const KindRow* const row = find_row(policy);
  return row != nullptr && row->scoring ? std::string(row->family) : printable(policy);
}

std::string family_name(std::string_view policy) {
  const KindRow* const row = find_row(policy);
  return row != nullptr ? std::string(row->family) : printable(policy);
}

std::string to_string(const Policy& policy) {
  std::vector<std::int64_t> numbers;
  switch (policy.kind) {
    case Kind::model:
    case Kind::full:
      break;
    case Kind::window:
      numbers = {policy.window};
      break;
    case Kind::longformer:
      numbers = {policy.window};
      for (const TokenPos position : policy.global_positions) numbers.push_back(position.value);
      break;
    case Kind::streaming:
      numbers = {policy.sinks, policy.window};
      break;
    case Kind::h2o:
      numbers = {policy.heavy, policy.recent};
      break;
    case Kind::tova:
      numbers = {policy.heavy};
      break;
    case Kind::snapkv:
    case Kind::pyramidkv:
    case Kind::adakv:
      numbers = {policy.heavy + policy.recent, policy.recent};
      break;
  }
  std::string text(row_of(policy.kind).name);
  for (const std::int64_t& number : numbers)
    text.append(&number == &numbers.front() ? ":" : ",").append(std::to_string(number));
  return text;
}

}  // namespace natscope
