// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/engine/passes/pass_observer.h"
#include "core/engine/passes/rotation.h"
#include "core/engine/products/prepared_weights.h"
#include "core/model/config.h"
#include "kernels/kv_cache.h"

namespace natscope {

/// One token through all layers: the step of a generation. Reads every weight and every held entry once, and calls no
/// LibTorch.
class RowPass {
 public:
  /// `config` and `weights` must outlive this.
  RowPass(const ModelConfig& config, const PreparedWeights& weights, kernels::ElementType dtype);

  /// Processes `token` at `position`, the one after what the cache has seen. Under learned roles the cache changes only
  /// after the last layer, so that a stop leaves it as it was; a cache with scores changes on the way.
  /// Errors: interrupted, out_of_memory (the cache may hold the token in some heads only), internal, the observer's.
  [[nodiscard]] Expected<void> run(std::int32_t token, TokenPos position, kernels::KvCache& cache,
                                   PassObserver& observer, std::stop_token stop);

  /// Logits [vocab] of the token of the last run.
  [[nodiscard]] Expected<void> logits(std::span<float> out);

 private:
  [[nodiscard]] Expected<void> attend(std::int32_t layer, TokenPos position, kernels::KvCache& cache,
                                      PassObserver& observer);
  [[nodiscard]] Expected<void> feed_forward(const PreparedLayer& layer);
  [[nodiscard]] Expected<void> append(kernels::KvCache& cache, std::int32_t layer, TokenPos position);
  [[nodiscard]] float* keys(std::int32_t layer) { return keys_.data() + layer * config_.kv_rows(); }
  [[nodiscard]] float* values(std::int32_t layer) { return values_.data() + layer * config_.kv_rows(); }
  [[nodiscard]] Role* roles(std::int32_t layer) { return roles_.data() + std::int64_t{layer} * config_.kv_heads; }
  void round(std::span<float> x) const;

  const ModelConfig& config_;
  const PreparedWeights& weights_;
  kernels::ElementType dtype_;
  Rotation rotation_;
  std::vector<float> x_, normed_, queries_, attended_, projected_, gate_, up_;
  std::vector<float> scores_, lse_, self_scores_;
  std::vector<float> keys_, values_;  // [layers, kv_heads, head_dim]: kept until the end of the pass
  std::vector<Role> roles_;           // [layers, kv_heads]
};

}  // namespace natscope
