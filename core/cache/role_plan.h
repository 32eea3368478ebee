// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/forced_role.h"
#include "core/cache/policy.h"
#include "kernels/prescribed_role.h"
#include "kernels/token_roles.h"

namespace natscope {

/// Roles from a file for a whole sequence: roles [layers, kv_heads, length], taken as they are (position 0 too).
struct RoleArray {
  std::int32_t layers = 0;
  std::int32_t kv_heads = 0;
  std::int64_t length = 0;
  std::vector<Role> roles;

  [[nodiscard]] Role at(LayerId layer, KvHeadId kv_head, TokenPos position) const;
};

/// Where the role of each token comes from, in this order: forced one by one, what it was before, a role array, the
/// policy, the model's scores (position 0 global), and global where a model has no scores.
struct RolePlan {
  Policy policy;
  std::optional<std::int64_t> window;  ///< W in place of the model's; 0 is legal
  std::optional<RoleArray> roles;
  std::vector<ForcedRole> forced;
  /// Roles of a sequence that is processed again: they hold for its tokens, those behind it are decided as ever.
  std::optional<RoleArray> as_before{};
};

/// Decides roles for tokens first … first + n - 1 of one (layer, KV head).
///   scores [n, 3] or empty (no score layers), global_bias as the model's; out [n]
/// Of two forced roles for one place the later one holds. Errors: bad_roles (the role array is shorter than what is
/// asked for).
class RoleDecider {
 public:
  /// Errors: bad_roles, bad_layer, bad_head, bad_position: what the plan names that the model does not have, or sliding
  /// roles without a window; bad_policy: a window out of range.
  [[nodiscard]] static Expected<RoleDecider> create(RolePlan plan, std::int32_t layers, std::int32_t kv_heads,
                                                    std::optional<std::int64_t> model_window, float global_bias,
                                                    bool has_scores);

  /// What is known before there are scores: out [n] as decide() will set it, by_scores where they decide; then decide()
  /// gives role_from_scores(scores, global_bias()). Errors: bad_roles.
  [[nodiscard]] Expected<void> prescribe(LayerId layer, KvHeadId kv_head, TokenPos first, std::span<Role> out) const;
  [[nodiscard]] Expected<void> decide(LayerId layer, KvHeadId kv_head, TokenPos first, std::span<const float> scores,
                                      std::span<Role> out) const;

  /// W that holds in this run: the plan's, the policy's, the model's, or none where every role is global.
  [[nodiscard]] std::optional<std::int64_t> window() const;
  /// Whether the paper's KV fraction counts W slots a head whole (section 5 of the rules): not for full, where there
  /// are no roles (has_roles), and for models without score layers: there it equals ours.
  [[nodiscard]] bool counts_whole_window() const;
  [[nodiscard]] float global_bias() const { return global_bias_; }
  [[nodiscard]] const RolePlan& plan() const { return plan_; }

 private:
  /// Whether scores decide where nobody forced a role.
  [[nodiscard]] bool asks_scores() const {
    return !plan_.roles && plan_.policy.kind == Policy::Kind::model && has_scores_;
  }

  RolePlan plan_;
  std::optional<std::int64_t> window_;
  float global_bias_ = 0;
  bool has_scores_ = false;
  std::vector<std::vector<ForcedRole>> forced_by_head_;  // [layer * kv_heads + kv_head], ascending positions
  std::int32_t kv_heads_ = 0;
};

}  // namespace natscope
