// SPDX-License-Identifier: GPL-3.0-or-later
/// What a person may set beside a policy.
#pragma once

#include "core/base/expected.h"
#include "core/cache/role_plan.h"

namespace natscope {

/// Whether the policy's own numbers hold a W: then another one is written there, not beside it.
[[nodiscard]] bool has_own_window(const Policy& policy);

/// Whether W can be set by hand beside the policy: not where its own numbers hold one, nor where it has no roles.
[[nodiscard]] bool takes_window(const Policy& policy);

/// Whether what was set by hand can mean anything under the plan's policy: some have no roles (has_roles) and no W.
/// Whoever takes a plan from a person asks; RoleDecider does what it is told. Errors: usage.
[[nodiscard]] Expected<void> check_set_by_hand(const RolePlan& plan);
[[nodiscard]] Expected<void> check_set_by_hand(const Policy& policy, bool sets_roles, bool sets_window);

}  // namespace natscope
