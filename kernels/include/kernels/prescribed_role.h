// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/token_roles.h"

namespace natscope {

/// Stands for a role that the model's scores are to give: in what is known of roles before a pass, never in a cache.
inline constexpr Role by_scores = static_cast<Role>(role_count);

/// What was prescribed, or what the scores say. `scores` in the order G, L, S; not read where a role was prescribed.
[[nodiscard]] constexpr Role role_of(Role prescribed, const float* scores, float global_bias) {
  return prescribed == by_scores ? role_from_scores(scores, global_bias) : prescribed;
}

}  // namespace natscope
