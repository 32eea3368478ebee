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
  return check_set_by_hand(plan.policy, plan.roles || !plan.forced.empty(), plan.window.has_value());
}

Expected<void> check_set_by_hand(const Policy& policy, bool sets_roles, bool sets_window) {
  if (has_roles(policy)) return {};
  const std::string method = method_name(to_string(policy));
  if (sets_roles) {
    return fail(ErrorCode::usage, method + " has no roles that could be set: it keeps what was attended to",
                "take the roles back (--force, --roles), or choose another policy");
  }
  if (sets_window) {
    return fail(ErrorCode::usage, method + " has no window W that could be set: it keeps what was attended to",
                "take W back (--window), or choose another policy");
  }
  return {};
}

}  // namespace natscope
