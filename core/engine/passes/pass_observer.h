// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/engine/passes/pass_drops.h"
#include "kernels/kv_cache.h"
#include "kernels/prescribed_role.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

namespace natscope {

/// Who decides roles while tokens pass through the layers, and who sees what they do. Called layer by layer, on the
/// thread of the pass, decide() before attended() of a layer; an error ends the pass.
class PassObserver {
 public:
  virtual ~PassObserver() = default;

  /// What is known of the roles before the pass: roles [kv_heads, n] as decide() will set them, by_scores where it will
  /// take role_from_scores(scores, global_bias()). A device decides by this without asking; decide() comes later and
  /// agrees.
  [[nodiscard]] virtual Expected<void> prescribe(LayerId layer, TokenPos first, kernels::View<Role, 2> roles) const = 0;
  [[nodiscard]] virtual float global_bias() const = 0;

  /// Sets roles [kv_heads, n] of tokens first … first + n - 1. scores [n, 3 · kv_heads]; data null without score
  /// layers.
  [[nodiscard]] virtual Expected<void> decide(LayerId layer, TokenPos first, kernels::ConstView<float, 2> scores,
                                              kernels::View<Role, 2> roles) = 0;

  /// Whether attended() of a layer does anything. Where not, a device need not copy queries and keys to the host, which
  /// are most of what a pass leaves behind; the pass may still call it. May turn from true to false between passes.
  [[nodiscard]] virtual bool wants_attended(LayerId layer) const = 0;
  /// What attention computed with: queries [heads, n, head_dim], keys [kv_heads, n, head_dim] rotated, lse [heads, n].
  [[nodiscard]] virtual Expected<void> attended(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                                kernels::ConstView<float, 3> keys,
                                                kernels::ConstView<float, 2> lse) = 0;

  /// What a pass over tokens first … first + n - 1 does about scores, which the cache then keeps.
  [[nodiscard]] virtual PassDrops drops(TokenPos first, std::int64_t n) const = 0;
  /// A cache with scores has taken the token `now` in this layer, after which entries go: the policy's turn.
  [[nodiscard]] virtual Expected<void> evict(kernels::KvCache& cache, LayerId layer, TokenPos now) = 0;

  /// The same on a device, which applies the rule itself where entries go after each token. Before the pass: the
  /// positions [n, kv_heads] that it drops after each token, no_drop where its scores are to choose. After it, layer by
  /// layer as attended(): what it dropped after the token `now`, [kv_heads], no_drop where nothing, and how many
  /// entries it then held.
  [[nodiscard]] virtual Expected<void> prescribe_drops(LayerId layer, TokenPos first,
                                                       kernels::View<std::int32_t, 2> positions) const = 0;
  [[nodiscard]] virtual Expected<void> dropped(LayerId layer, TokenPos now, std::span<const std::int32_t> positions,
                                               std::span<const std::int32_t> held) = 0;
  /// Behind a prompt it is told what goes after the token `now`: positions [kv_heads][], ascending.
  ///   scores [kv_heads, now + 1], by position, as the weighed tokens left them; written
  [[nodiscard]] virtual Expected<void> choose_drops(LayerId layer, TokenPos now, kernels::View<float, 2> scores,
                                                    std::vector<std::vector<TokenPos>>& positions) = 0;
};

}  // namespace natscope
