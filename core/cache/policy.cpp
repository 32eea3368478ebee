// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/policy.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

namespace natscope {

namespace {

constexpr std::string_view expected_forms =
    "use model, full, window:W, longformer:W,P1,P2,…, streaming:SINKS,WINDOW, h2o:HEAVY,RECENT or tova:SIZE with whole "
    "numbers";

Unexpected refuse(std::string_view text, std::string what) {
  return fail(ErrorCode::bad_policy, "cache policy \"" + printable(text) + "\": " + std::move(what),
              std::string(expected_forms));
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
Expected<std::vector<std::int64_t>> parse_numbers(std::string_view text, std::string_view list) {
  std::vector<std::int64_t> numbers;
  while (true) {
    const std::size_t comma = list.find(',');
    const std::string_view digits = list.substr(0, comma);
    const std::optional<std::int64_t> number = parse_count(digits);
    if (!number)
      return refuse(text, std::string("\"").append(printable(digits)) + "\" is no whole number from 0 to 2147483647");
    numbers.push_back(*number);
    if (comma == std::string_view::npos) return numbers;
    list.remove_prefix(comma + 1);
  }
}

Expected<void> require_count(std::string_view text, std::span<const std::int64_t> numbers, std::size_t count) {
  if (numbers.size() == count) return {};
  return refuse(text, "takes " + std::to_string(count) + (count == 1 ? " number" : " numbers") + ", not " +
                          std::to_string(numbers.size()));
}

}  // namespace

Expected<Policy> parse_policy(std::string_view text) {
  Policy policy;
  if (text == "model") return policy;
  if (text == "full") {
    policy.kind = Policy::Kind::full;
    return policy;
  }

  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  if (kind != "window" && kind != "longformer" && kind != "streaming" && kind != "h2o" && kind != "tova")
    return refuse(text, "no such policy");
  if (colon == std::string_view::npos) return refuse(text, "its numbers are missing");
  NATSCOPE_TRY(const std::vector<std::int64_t> numbers, parse_numbers(text, text.substr(colon + 1)));

  if (kind == "window") {
    NATSCOPE_CHECK(require_count(text, numbers, 1));
    policy.kind = Policy::Kind::window;
    policy.window = numbers[0];
  } else if (kind == "longformer") {
    policy.kind = Policy::Kind::longformer;
    policy.window = numbers[0];
    for (const std::int64_t position : std::span(numbers).subspan(1)) {
      policy.global_positions.emplace_back(static_cast<std::int32_t>(position));
    }
    std::ranges::sort(policy.global_positions);
    const auto repeated = std::ranges::unique(policy.global_positions);
    policy.global_positions.erase(repeated.begin(), repeated.end());
  } else if (kind == "streaming") {
    NATSCOPE_CHECK(require_count(text, numbers, 2));
    policy.kind = Policy::Kind::streaming;
    policy.sinks = numbers[0];
    policy.window = numbers[1];
  } else if (kind == "h2o") {
    NATSCOPE_CHECK(require_count(text, numbers, 2));
    policy.kind = Policy::Kind::h2o;
    policy.heavy = numbers[0];
    policy.recent = numbers[1];
  } else {
    NATSCOPE_CHECK(require_count(text, numbers, 1));
    policy.kind = Policy::Kind::tova;
    policy.heavy = numbers[0];
  }
  return policy;
}

std::optional<kernels::HeavyHitters> heavy_hitters(const Policy& policy) {
  using kernels::EntryScores;
  if (policy.kind == Policy::Kind::h2o)
    return kernels::HeavyHitters{policy.heavy, policy.recent, EntryScores::of_all_queries};
  if (policy.kind == Policy::Kind::tova)
    return kernels::HeavyHitters{policy.heavy, policy.recent, EntryScores::of_last_query};
  return {};
}

bool has_roles(const Policy& policy) { return !heavy_hitters(policy); }

bool has_roles(std::string_view policy) {
  const std::string_view kind = policy.substr(0, policy.find(':'));
  // Of a trace that does not name one, too.
  return kind.empty() || kind == "model" || kind == "full" || kind == "window" || kind == "longformer" ||
         kind == "streaming";
}

std::string method_name(std::string_view policy) {
  const std::string_view kind = policy.substr(0, policy.find(':'));
  if (kind == "h2o") return "H2O";
  if (kind == "tova") return "TOVA";
  return printable(policy);
}

std::string family_name(std::string_view policy) {
  const std::string_view kind = policy.substr(0, policy.find(':'));
  if (kind == "model") return "learned roles";
  if (kind == "full") return "full attention";
  if (kind == "window") return "sliding window";
  if (kind == "longformer") return "Longformer";
  if (kind == "streaming") return "StreamingLLM";
  return method_name(policy);
}

std::string to_string(const Policy& policy) {
  switch (policy.kind) {
    case Policy::Kind::model:
      return "model";
    case Policy::Kind::full:
      return "full";
    case Policy::Kind::window:
      return "window:" + std::to_string(policy.window);
    case Policy::Kind::longformer: {
      std::string text = "longformer:" + std::to_string(policy.window);
      for (const TokenPos position : policy.global_positions) text.append(",").append(std::to_string(position.value));
      return text;
    }
    case Policy::Kind::streaming:
      return "streaming:" + std::to_string(policy.sinks) + "," + std::to_string(policy.window);
    case Policy::Kind::h2o:
      return "h2o:" + std::to_string(policy.heavy) + "," + std::to_string(policy.recent);
    case Policy::Kind::tova:
      return "tova:" + std::to_string(policy.heavy);
  }
  return {};
}

}  // namespace natscope
