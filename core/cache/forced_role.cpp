// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/forced_role.h"

#include "core/cache/leading_number.h"

namespace natscope {

char role_letter(Role role) {
  switch (role) {
    case Role::global:
      return 'G';
    case Role::local:
      return 'L';
    case Role::sliding:
      return 'S';
  }
  return '?';
}

std::optional<Role> role_of_letter(std::string_view letter) {
  for (const Role role : {Role::global, Role::local, Role::sliding}) {
    if (letter.size() == 1 && letter.front() == role_letter(role)) return role;
  }
  return std::nullopt;
}

std::string to_string(const ForcedRole& forced) {
  return std::to_string(forced.layer.value) + '.' + std::to_string(forced.kv_head.value) + '.' +
         std::to_string(forced.position.value) + '=' + role_letter(forced.role);
}

std::optional<ForcedRole> parse_forced_role(std::string_view text) {
  const auto layer = take_number(text, '.');
  const auto kv_head = layer ? take_number(text, '.') : std::nullopt;
  const auto position = kv_head ? take_number(text, '=') : std::nullopt;
  const auto role = position ? role_of_letter(text) : std::nullopt;
  if (!role) return std::nullopt;
  return ForcedRole{LayerId(*layer), KvHeadId(*kv_head), TokenPos(*position), *role};
}

std::string forced_roles_text(std::span<const ForcedRole> forced) {
  std::string text;
  for (const ForcedRole& role : forced) {
    if (!text.empty()) text += ',';
    text += to_string(role);
  }
  return text;
}

std::optional<std::vector<ForcedRole>> parse_forced_roles(std::string_view text, std::size_t most) {
  std::vector<ForcedRole> forced;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const auto role = parse_forced_role(text.substr(0, comma));
    if (!role || forced.size() == most) return std::nullopt;
    forced.push_back(*role);
    if (comma == std::string_view::npos) return forced;
    text.remove_prefix(comma + 1);
    if (text.empty()) return std::nullopt;
  }
  return forced;
}

}  // namespace natscope
