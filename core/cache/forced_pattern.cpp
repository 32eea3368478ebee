// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/forced_pattern.h"

#include <charconv>

namespace natscope {
namespace {

/// The number that `text` begins with and `after` follows; both are taken away.
std::optional<std::int32_t> take_number(std::string_view& text, char after) {
  std::int32_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || number < 0 || end == text.data() + text.size() || *end != after) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

}  // namespace

std::optional<ForcedPattern> parse_forced_pattern(std::string_view text) {
  ForcedPattern pattern;
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
  } else {
    const auto layer = take_number(text, '.');
    if (!layer) return std::nullopt;
    pattern.layer = LayerId(*layer);
  }
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
  } else {
    const auto kv_head = take_number(text, '.');
    if (!kv_head) return std::nullopt;
    pattern.kv_head = KvHeadId(*kv_head);
  }
  const auto position = take_number(text, '=');
  if (!position || text.size() != 1) return std::nullopt;
  pattern.position = TokenPos(*position);
  const char letter =
      text.front() >= 'a' && text.front() <= 'z' ? static_cast<char>(text.front() - 'a' + 'A') : text.front();
  const auto role = role_of_letter({&letter, 1});
  if (!role) return std::nullopt;
  pattern.role = *role;
  return pattern;
}

std::vector<ForcedRole> forced_roles(const ForcedPattern& pattern, std::int32_t layers, std::int32_t kv_heads) {
  std::vector<ForcedRole> roles;
  for (std::int32_t i = 0; i < (pattern.layer ? 1 : layers); ++i) {
    for (std::int32_t k = 0; k < (pattern.kv_head ? 1 : kv_heads); ++k) {
      roles.push_back(
          {pattern.layer.value_or(LayerId(i)), pattern.kv_head.value_or(KvHeadId(k)), pattern.position, pattern.role});
    }
  }
  return roles;
}

}  // namespace natscope
