// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/cache/held_tally.h"
#include "core/cache/role_plan.h"
#include "core/engine/passes/pass_observer.h"
#include "core/explore/sequence_record.h"
#include "core/explore/trace_store.h"
#include "core/tokenizer/streaming_decoder.h"

namespace natscope {

/// Decides roles while tokens pass, and writes down what happens to them: one frame a token.
///
///   recorder.begin(first, n);         // a pass over n tokens
///   … the pass calls decide, attended, evict …
///   frames = recorder.take(tokens);   // only after a pass that came to its end; others leave no trace
class FrameRecorder final : public PassObserver {
 public:
  /// `decider` and `store` must outlive this.
  FrameRecorder(CacheGeometry geometry, bool has_scores, const RoleDecider& decider, TraceStore& store,
                const Tokenizer& tokenizer);

  /// Where the prompt ends, for a rule that drops behind it. For the passes that follow.
  void set_weighed(const WeighedTokens& weighed) { weighed_ = weighed; }
  /// `on_layer` is told of every layer that the pass comes to, on the pass's thread, until the next begin().
  void begin(TokenPos first, std::int64_t n, std::function<void(LayerId layer)> on_layer = {});
  /// The frames of the pass, all but counts.allocated_bytes, probabilities, candidates and times.
  [[nodiscard]] std::vector<TokenFrame> take(std::span<const std::int32_t> tokens);
  /// Entries that the roles say are held after the frames taken so far (where it has none: what the cache said).
  [[nodiscard]] std::int64_t entries() const { return entries_now_; }

  [[nodiscard]] Expected<void> prescribe(LayerId layer, TokenPos first, kernels::View<Role, 2> roles) const override;
  [[nodiscard]] float global_bias() const override { return decider_.global_bias(); }
  [[nodiscard]] Expected<void> decide(LayerId layer, TokenPos first, kernels::ConstView<float, 2> scores,
                                      kernels::View<Role, 2> roles) override;
  [[nodiscard]] bool wants_attended(LayerId layer) const override { return store_.keeps(layer); }
  [[nodiscard]] Expected<void> attended(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                        kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse) override;
  [[nodiscard]] PassDrops drops(TokenPos first, std::int64_t n) const override {
    return pass_drops(rule_, weighed_, first, n);
  }
  [[nodiscard]] Expected<void> evict(kernels::KvCache& cache, LayerId layer, TokenPos now) override;
  [[nodiscard]] Expected<void> prescribe_drops(LayerId layer, TokenPos first,
                                               kernels::View<std::int32_t, 2> positions) const override;
  [[nodiscard]] Expected<void> dropped(LayerId layer, TokenPos now, std::span<const std::int32_t> positions,
                                       std::span<const std::int32_t> held) override;
  [[nodiscard]] Expected<void> choose_drops(LayerId layer, TokenPos now, kernels::View<float, 2> scores,
                                            std::vector<std::vector<TokenPos>>& positions) override;

 private:
  [[nodiscard]] std::size_t head_index(LayerId layer, std::int64_t kv_head) const;
  [[nodiscard]] TokenFrame frame_of(std::int64_t index, std::int32_t token);
  void count(std::span<TokenFrame> frames);

  CacheGeometry geometry_;
  bool has_scores_ = false;
  const RoleDecider& decider_;
  std::optional<kernels::ScoreRule> rule_;  // where the policy has no roles
  WeighedTokens weighed_;
  TraceStore& store_;
  StreamingDecoder decoder_;
  std::vector<HeldTally> tallies_;  // [layers * kv_heads]
  std::vector<std::int32_t> held_;  // [layers * kv_heads] after the frames taken so far, with a rule only
  std::int64_t entries_now_ = 0;

  // The pass that is under way.
  TokenPos first_;
  std::int64_t n_ = 0;
  std::function<void(LayerId)> on_layer_;
  // A token's of a layer stand together, as they do in its frame.
  std::vector<Role> roles_;                         // [layers, n, kv_heads]
  std::vector<float> scores_;                       // [layers, n, kv_heads, 3]
  std::vector<Role> decided_;                       // [n] of the head that is being decided
  std::vector<float> head_scores_;                  // [n, 3] of that head
  std::vector<std::int32_t> entries_;               // [n, layers, kv_heads], with a rule only
  std::vector<std::vector<EvictedEntry>> evicted_;  // [n], with a rule only
};

}  // namespace natscope
