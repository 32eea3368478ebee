// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/engine/passes/pass_observer.h"
#include "core/engine/passes/rotation.h"
#include "core/engine/products/matrix_product.h"
#include "core/engine/products/prepared_weights.h"
#include "core/model/config.h"
#include "kernels/kv_cache.h"

namespace natscope {

/// How far a pass goes and what it leaves behind.
struct ChunkExtent {
  /// Only the first so many; the last one's feed-forward part is left out when `hidden` is none.
  std::int32_t layers = 0;
  enum class Hidden : std::uint8_t { none, last, all } hidden = Hidden::last;  ///< whose final hidden states are wanted
};

/// A chunk of tokens through the layers: prefill, and the replay that redraws a layer's map.
class ChunkPass {
 public:
  /// `config` and `weights` must outlive this.
  ChunkPass(const ModelConfig& config, const PreparedWeights& weights, kernels::ElementType dtype);

  /// The most tokens that one pass should take, so that what it works on stays below about 96 MB.
  [[nodiscard]] std::int64_t most_tokens() const;

  /// Processes tokens first … first + n - 1, n >= 1. On any error the cache holds the chunk in some layers only.
  /// Errors: interrupted, out_of_memory, internal, the observer's.
  [[nodiscard]] Expected<void> run(std::span<const std::int32_t> tokens, TokenPos first, kernels::KvCache& cache,
                                   PassObserver& observer, ChunkExtent extent, std::stop_token stop);

  /// Logits [n, vocab] of tokens index … index + n - 1 of the last chunk (extent all), or of its last token (index 0,
  /// extent last).
  [[nodiscard]] Expected<void> logits(std::int64_t index, std::int64_t n, std::span<float> out, std::stop_token stop);

 private:
  [[nodiscard]] Expected<void> project(std::int32_t layer, std::stop_token stop);
  void turn(std::int32_t layer);
  [[nodiscard]] Expected<void> attend(LayerId layer, TokenPos first, kernels::KvCache& cache, PassObserver& observer,
                                      std::stop_token stop);
  [[nodiscard]] Expected<void> attend_at_once(LayerId layer, TokenPos first, kernels::KvCache& cache,
                                              const std::stop_token& stop);
  [[nodiscard]] Expected<void> attend_one_by_one(LayerId layer, TokenPos first, kernels::KvCache& cache,
                                                 PassObserver& observer, PassDrops drops, std::stop_token stop);
  void keep_last_row();
  [[nodiscard]] Expected<void> project_back(const PreparedLayer& layer, std::stop_token stop);
  [[nodiscard]] Expected<void> feed_forward(const PreparedLayer& layer, std::stop_token stop);
  void normalise(const std::vector<float>& weight);

  [[nodiscard]] kernels::View<float, 3> heads_of(std::vector<float>& rows, std::int64_t heads) const;
  [[nodiscard]] kernels::View<float, 2> rows_of(std::vector<float>& rows, std::int64_t cols) const;

  const ModelConfig& config_;
  const PreparedWeights& weights_;
  kernels::ElementType dtype_;
  Rotation rotation_;
  MatrixProduct product_;
  ProductInput input_;
  std::int64_t chunk_ = 0;  // tokens of this pass
  std::int64_t rows_ = 0;   // of them, those that still go on: 1 in the last layer when only the last is wanted
  std::vector<float> x_, normed_, queries_, keys_, values_, scores_, attended_, gate_, up_, lse_;
  std::vector<float> token_lse_, token_scores_;
  std::vector<Role> roles_, token_roles_;
};

}  // namespace natscope
