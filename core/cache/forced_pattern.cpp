// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/forced_pattern.h"

#include "core/cache/leading_number.h"

namespace natscope {
namespace {

/// "7." or, for all of them, "*.", taken away; false where `text` begins with neither.
template <typename Id>
bool take_id(std::string_view& text, std::optional<Id>& id) {
  if (text.starts_with("*.")) {
    text.remove_prefix(2);
    return true;
  }
  const auto number = take_number(text, '.');
  if (number) id = Id(*number);
  return number.has_value();
}

}  // namespace

std::optional<ForcedPattern> parse_forced_pattern(std::string_view text) {
  ForcedPattern pattern;
  if (!take_id(text, pattern.layer) || !take_id(text, pattern.kv_head)) return std::nullopt;
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
