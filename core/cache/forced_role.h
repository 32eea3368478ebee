// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/ids.h"
#include "kernels/token_roles.h"

namespace natscope {

[[nodiscard]] char role_letter(Role role);  ///< 'G', 'L', 'S'
[[nodiscard]] std::optional<Role> role_of_letter(std::string_view letter);

/// One role set by hand: `--force L.K.N=G|L|S`, or a click in the window.
struct ForcedRole {
  LayerId layer;
  KvHeadId kv_head;
  TokenPos position;
  Role role = Role::global;

  friend bool operator==(const ForcedRole&, const ForcedRole&) = default;
};

/// "L.K.N=G", and back; nothing where the text says something else. Neither knows what a model has.
[[nodiscard]] std::string to_string(const ForcedRole& forced);
[[nodiscard]] std::optional<ForcedRole> parse_forced_role(std::string_view text);

/// "0.1.41=G,2.0.7=L", and back; empty without any. Nothing where one part is none, or there are more than `most`.
[[nodiscard]] std::string forced_roles_text(std::span<const ForcedRole> forced);
[[nodiscard]] std::optional<std::vector<ForcedRole>> parse_forced_roles(std::string_view text, std::size_t most);

}  // namespace natscope
