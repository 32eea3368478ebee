// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/plan_check.h"

namespace natscope {

bool has_own_window(const Policy& policy) {
  return policy.kind == Policy::Kind::window || policy.kind == Policy::Kind::longformer ||
         policy.kind == Policy::Kind::streaming;
}

bool takes_window(const Policy& policy) { return !has_own_window(policy) && policy.kind != Policy::Kind::h2o; }

Expected<void> check_set_by_hand(const RolePlan& plan) {
  if (plan.policy.kind != Policy::Kind::h2o) return {};
  if (plan.roles || !plan.forced.empty()) {
    return fail(ErrorCode::usage, "H2O has no roles that could be set: it keeps what was attended to",
                "take the roles back (--force, --roles), or choose another policy");
  }
  if (plan.window) {
    return fail(ErrorCode::usage, "H2O has no window W that could be set: it keeps what was attended to",
                "take W back (--window), or choose another policy");
  }
  return {};
}

}  // namespace natscope
