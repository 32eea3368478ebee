// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/role_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "core/base/hints.h"

namespace natscope {

namespace {

bool needs_window(Role role) { return role == Role::sliding; }

std::string head_name(const ForcedRole& forced) {
  return std::to_string(forced.layer.value) + "." + std::to_string(forced.kv_head.value) + "." +
         std::to_string(forced.position.value);
}

Expected<void> check_forced(const ForcedRole& forced, std::int32_t layers, std::int32_t kv_heads) {
  if (forced.layer.value < 0 || forced.layer.value >= layers) {
    return fail(ErrorCode::bad_layer,
                "forced role " + head_name(forced) + ": the model has layers 0 to " + std::to_string(layers - 1));
  }
  if (forced.kv_head.value < 0 || forced.kv_head.value >= kv_heads) {
    return fail(ErrorCode::bad_head,
                "forced role " + head_name(forced) + ": the model has KV heads 0 to " + std::to_string(kv_heads - 1));
  }
  if (forced.position.value < 0)
    return fail(ErrorCode::bad_position, "forced role " + head_name(forced) + ": positions start at 0");
  if (static_cast<int>(forced.role) >= role_count)
    return fail(ErrorCode::bad_roles, "forced role " + head_name(forced) + ": no such role");
  return {};
}

Expected<void> check_array(const RoleArray& array, std::int32_t layers, std::int32_t kv_heads) {
  if (array.layers != layers || array.kv_heads != kv_heads) {
    return fail(ErrorCode::bad_roles, "roles for " + std::to_string(array.layers) + " layers of " +
                                          std::to_string(array.kv_heads) + " KV heads, but the model has " +
                                          std::to_string(layers) + " of " + std::to_string(kv_heads));
  }
  if (array.length < 0 || array.roles.size() != static_cast<std::size_t>(layers) * static_cast<std::size_t>(kv_heads) *
                                                    static_cast<std::size_t>(array.length)) {
    return fail(ErrorCode::bad_roles, "the number of roles does not fit layers, KV heads and tokens");
  }
  const bool valid = std::ranges::all_of(array.roles, [](Role role) { return static_cast<int>(role) < role_count; });
  if (!valid) return fail(ErrorCode::bad_roles, "a role that is none of 0 (G), 1 (L) and 2 (S)");
  return {};
}

std::optional<std::int64_t> window_of(const RolePlan& plan, std::optional<std::int64_t> model_window, bool has_scores) {
  if (plan.window) return plan.window;
  switch (plan.policy.kind) {
    case Policy::Kind::window:
    case Policy::Kind::longformer:
    case Policy::Kind::streaming:
      return plan.policy.window;
    case Policy::Kind::model:
      if (has_scores) return model_window;
      break;
    case Policy::Kind::full:
    case Policy::Kind::h2o:
    case Policy::Kind::tova:
    case Policy::Kind::snapkv:
    case Policy::Kind::pyramidkv:
    case Policy::Kind::adakv:
      break;
  }
  // Every role is global but those that the plan sets, and these use the model's window where it has one.
  if (plan.roles || plan.as_before || !plan.forced.empty()) return model_window;
  return {};
}

Role role_by_policy(const Policy& policy, TokenPos position) {
  switch (policy.kind) {
    case Policy::Kind::window:
      return Role::sliding;
    case Policy::Kind::streaming:
      return position.value < policy.sinks ? Role::global : Role::sliding;
    case Policy::Kind::longformer:
      return std::ranges::binary_search(policy.global_positions, position) ? Role::global : Role::sliding;
    case Policy::Kind::model:
    case Policy::Kind::full:
    case Policy::Kind::h2o:
    case Policy::Kind::tova:
    case Policy::Kind::snapkv:
    case Policy::Kind::pyramidkv:
    case Policy::Kind::adakv:
      break;
  }
  return Role::global;
}

}  // namespace

Role RoleArray::at(LayerId layer, KvHeadId kv_head, TokenPos position) const {
  const std::int64_t head = std::int64_t{layer.value} * kv_heads + kv_head.value;
  return roles[static_cast<std::size_t>(head * length + position.value)];
}

Expected<RoleDecider> RoleDecider::create(RolePlan plan, std::int32_t layers, std::int32_t kv_heads,
                                          std::optional<std::int64_t> model_window, float global_bias,
                                          bool has_scores) {
  if (plan.window && (*plan.window < 0 || *plan.window > std::numeric_limits<std::int32_t>::max())) {
    return fail(ErrorCode::bad_policy, "a window of " + std::to_string(*plan.window) + " tokens",
                "give a window from 0 to 2147483647");
  }
  if (plan.roles) NATSCOPE_CHECK(check_array(*plan.roles, layers, kv_heads));
  if (plan.as_before) NATSCOPE_CHECK(check_array(*plan.as_before, layers, kv_heads));
  for (const ForcedRole& forced : plan.forced) NATSCOPE_CHECK(check_forced(forced, layers, kv_heads));

  RoleDecider decider;
  decider.window_ = window_of(plan, model_window, has_scores);
  if (!decider.window_) {
    const bool sliding =
        (plan.roles && std::ranges::any_of(plan.roles->roles, needs_window)) ||
        (plan.as_before && std::ranges::any_of(plan.as_before->roles, needs_window)) ||
        std::ranges::any_of(plan.forced, [](const ForcedRole& forced) { return needs_window(forced.role); });
    if (sliding) {
      return fail(ErrorCode::bad_roles, "sliding roles are set, but the model has no window",
                  "say how long it is with --window");
    }
  }
  decider.global_bias_ = global_bias;
  decider.has_scores_ = has_scores;
  decider.kv_heads_ = kv_heads;
  decider.forced_by_head_.resize(static_cast<std::size_t>(layers) * static_cast<std::size_t>(kv_heads));
  for (const ForcedRole& forced : plan.forced) {
    decider.forced_by_head_[static_cast<std::size_t>(forced.layer.value * kv_heads + forced.kv_head.value)].push_back(
        forced);
  }
  // Stable, so that of two roles for one place the later one is written last and holds.
  for (std::vector<ForcedRole>& of_head : decider.forced_by_head_)
    std::ranges::stable_sort(of_head, {}, &ForcedRole::position);
  decider.plan_ = std::move(plan);
  return decider;
}

Expected<void> RoleDecider::prescribe(LayerId layer, KvHeadId kv_head, TokenPos first, std::span<Role> out) const {
  const auto count = static_cast<std::int64_t>(out.size());
  if (plan_.roles) {
    if (first.value + count > plan_.roles->length) {
      return fail(ErrorCode::bad_roles,
                  "roles for " + std::to_string(plan_.roles->length) + " tokens, but position " +
                      std::to_string(first.value + count - 1) + " needs one too",
                  "give roles for prompt and generation together");
    }
    for (std::int64_t n = 0; n < count; ++n) {
      out[static_cast<std::size_t>(n)] =
          plan_.roles->at(layer, kv_head, TokenPos(first.value + static_cast<std::int32_t>(n)));
    }
  } else if (asks_scores()) {
    std::ranges::fill(out, by_scores);
    if (first.value == 0 && !out.empty()) out[0] = Role::global;  // the attention sink (the rules, section 3)
  } else {
    for (std::int64_t n = 0; n < count; ++n) {
      out[static_cast<std::size_t>(n)] =
          role_by_policy(plan_.policy, TokenPos(first.value + static_cast<std::int32_t>(n)));
    }
  }

  if (plan_.as_before) {
    const std::int64_t known = std::min(count, plan_.as_before->length - first.value);
    for (std::int64_t n = 0; n < known; ++n) {
      out[static_cast<std::size_t>(n)] =
          plan_.as_before->at(layer, kv_head, TokenPos(first.value + static_cast<std::int32_t>(n)));
    }
  }

  const std::vector<ForcedRole>& forced =
      forced_by_head_[static_cast<std::size_t>(layer.value * kv_heads_ + kv_head.value)];
  auto next = std::ranges::lower_bound(forced, first, {}, &ForcedRole::position);
  for (; next != forced.end() && next->position.value < first.value + count; ++next) {
    out[static_cast<std::size_t>(next->position.value - first.value)] = next->role;
  }
  return {};
}

Expected<void> RoleDecider::decide(LayerId layer, KvHeadId kv_head, TokenPos first, std::span<const float> scores,
                                   std::span<Role> out) const {
  if (asks_scores() && !std::ranges::all_of(scores, [](float score) { return std::isfinite(score); })) {
    return fail(ErrorCode::unsupported_model,
                "the role scores of layer " + std::to_string(layer.value) + " are not finite", broken_weights);
  }
  NATSCOPE_CHECK(prescribe(layer, kv_head, first, out));
  if (!asks_scores()) return {};
  for (std::size_t n = 0; n < out.size(); ++n) out[n] = role_of(out[n], &scores[n * role_count], global_bias_);
  return {};
}

std::optional<std::int64_t> RoleDecider::window() const { return window_; }

bool RoleDecider::counts_whole_window() const {
  return has_scores_ && plan_.policy.kind != Policy::Kind::full && natscope::has_roles(plan_.policy);
}

}  // namespace natscope
