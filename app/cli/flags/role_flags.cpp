// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/role_flags.h"

#include <cstdint>
#include <limits>

#include "app/cli/invocation.h"
#include "core/cache/forced_pattern.h"
#include "core/cache/plan_check.h"
#include "core/cache/policy_names.h"
#include "core/session/roles_file.h"

namespace natscope {
namespace {

Expected<std::vector<ForcedPattern>> parsed(const std::vector<std::string>& forced) {
  std::vector<ForcedPattern> patterns;
  for (const std::string& text : forced) {
    const auto pattern = parse_forced_pattern(text);
    if (!pattern) {
      return fail(ErrorCode::usage,
                  "--force takes LAYER.KV_HEAD.POSITION=G|L|S (* for all layers, all KV heads), not \"" +
                      printable(text) + "\"");
    }
    patterns.push_back(*pattern);
  }
  return patterns;
}

}  // namespace

void RoleFlags::add_to(CLI::App& command) {
  command
      .add_option("--window", window_,
                  "Sliding window W in place of the model's; a policy with a W of its own has it in --policy")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{std::numeric_limits<std::int32_t>::max()}))
      ->type_name("W");
  command
      .add_option("--roles", roles_file_,
                  "Take roles from a safetensors file with roles U8 [layers, kv_heads, T]; not with --policy " +
                      policies_without_roles_in_words())
      ->type_name("FILE");
  command
      .add_option(
          "--force", forced_,
          "Set a role: LAYER.KV_HEAD.POSITION=G|L|S, with * for all layers or all KV heads, for example \"*.*.30=G\"; "
          "wins over --roles; not with --policy " +
              policies_without_roles_in_words())
      ->type_name("L.K.N=R")
      ->allow_extra_args(false);
}

Expected<void> RoleFlags::check(const Policy& policy) const {
  NATSCOPE_CHECK(parsed(forced_));
  NATSCOPE_CHECK(check_set_by_hand(policy, has_roles(), window_.has_value()));
  if (has_own_window(policy) && window_) {
    Policy other = policy;
    other.window = *window_;
    return fail(ErrorCode::usage,
                "--policy " + to_string(policy) + " has a window W of its own, so --window is not taken",
                "leave it out, or write --policy " + to_string(other));
  }
  return {};
}

Expected<RolePlan> RoleFlags::plan(const Policy& policy, std::int64_t tokens, std::int32_t layers,
                                   std::int32_t kv_heads) const {
  NATSCOPE_CHECK(check(policy));
  RolePlan plan;
  plan.policy = policy;
  plan.window = window_;
  NATSCOPE_TRY(const auto patterns, parsed(forced_));
  for (const ForcedPattern& pattern : patterns) {
    if (pattern.position.value >= tokens) {
      return fail(ErrorCode::bad_position, "--force names position " + std::to_string(pattern.position.value) +
                                               ", but there are only " + std::to_string(tokens) + " tokens");
    }
    const auto roles = forced_roles(pattern, layers, kv_heads);
    plan.forced.insert(plan.forced.end(), roles.begin(), roles.end());
    if (plan.forced.size() > most_forced_roles) {
      return fail(ErrorCode::usage, "--force sets more than " + std::to_string(most_forced_roles) + " roles",
                  "give them as a file with --roles");
    }
  }
  if (!roles_file_.empty()) {
    NATSCOPE_TRY(plan.roles, read_roles_file(roles_file_));
    if (plan.roles->length < tokens) {
      return fail(ErrorCode::bad_roles, printable(roles_file_) + " has roles for " +
                                            std::to_string(plan.roles->length) + " tokens, but there are " +
                                            std::to_string(tokens));
    }
  }
  return plan;
}

}  // namespace natscope
