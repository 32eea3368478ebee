// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/plan_check.h"

#include <string>

namespace natscope {

bool has_own_window(const Policy& policy) {
  return policy.kind == Policy::Kind::window || policy.kind == Policy::Kind::longformer ||
         policy.kind == Policy::Kind::streaming;
}

bool takes_window(const Policy& policy) { return !has_own_window(policy) && has_roles(policy); }

Expected<void> check_set_by_hand(const RolePlan& plan) {
  if (has_roles(plan.policy)) return {};
  const std::string method = method_name(to_string(plan.policy));
  if (plan.roles || !plan.forced.empty()) {
    return fail(ErrorCode::usage, method + " has no roles that could be set: it keeps what was attended to",
                "take the roles back (--force, --roles), or choose another policy");
  }
  if (plan.window) {
    return fail(ErrorCode::usage, method + " has no window W that could be set: it keeps what was attended to",
                "take W back (--window), or choose another policy");
  }
  return {};
}

}  // namespace natscope
