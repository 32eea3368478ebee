// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/engine/passes/chunk_pass.h"
#include "core/engine/passes/device_pass.h"
#include "core/engine/passes/pass_observer.h"
#include "core/explore/sequence_record.h"
#include "core/explore/trace_store.h"

namespace natscope {

/// What is needed to process a recorded sequence once more, exactly as it was: its tokens, its roles, what was
/// dropped where roles do not say it.
struct RecordedSequence {
  std::int32_t kv_heads = 0;
  std::int64_t window = 0;
  std::optional<kernels::ScoreRule> rule;  ///< by which the cache dropped, where the policy has no roles
  WeighedTokens weighed;                   ///< where the rule drops behind a prompt
  std::vector<std::int32_t> tokens;
  std::vector<std::vector<Role>> roles;            ///< [layers * kv_heads][tokens]
  std::vector<std::vector<EvictedEntry>> evicted;  ///< [tokens], with a rule only

  /// The first `layers` layers of a record. Copies, so that the record may go on growing.
  [[nodiscard]] static RecordedSequence copy(const SequenceRecord& record, std::int32_t layers, const Policy& policy,
                                             const WeighedTokens& weighed);
};

/// Decides what was decided before, and shows the queries, keys and log-sum-exps of some layers to a store.
class ReplayObserver final : public PassObserver {
 public:
  /// With `store`: rows of layers from `first` on go into its layers from 0 on, as many as it has. `sequence` and
  /// `store` must outlive this.
  explicit ReplayObserver(const RecordedSequence& sequence, TraceStore* store = nullptr, LayerId first = LayerId(-1),
                          std::optional<HeadId> only_head = {}, std::int32_t group = 1)
      : sequence_(sequence), store_(store), first_(first), only_head_(only_head), group_(group) {}

  [[nodiscard]] Expected<void> prescribe(LayerId layer, TokenPos first, kernels::View<Role, 2> roles) const override;
  [[nodiscard]] float global_bias() const override { return 0; }  // no scores are asked
  [[nodiscard]] Expected<void> decide(LayerId layer, TokenPos first, kernels::ConstView<float, 2> scores,
                                      kernels::View<Role, 2> roles) override;
  [[nodiscard]] bool wants_attended(LayerId layer) const override {
    return store_ != nullptr && layer.value >= first_.value && layer.value < first_.value + store_->layers();
  }
  [[nodiscard]] Expected<void> attended(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                        kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse) override;
  [[nodiscard]] PassDrops drops(TokenPos first, std::int64_t n) const override {
    return pass_drops(sequence_.rule, sequence_.weighed, first, n);
  }
  [[nodiscard]] Expected<void> evict(kernels::KvCache& cache, LayerId layer, TokenPos now) override;
  [[nodiscard]] Expected<void> prescribe_drops(LayerId layer, TokenPos first,
                                               kernels::View<std::int32_t, 2> positions) const override;
  [[nodiscard]] Expected<void> dropped(LayerId layer, TokenPos now, std::span<const std::int32_t> positions,
                                       std::span<const std::int32_t> held) override;
  [[nodiscard]] Expected<void> choose_drops(LayerId layer, TokenPos now, kernels::View<float, 2> scores,
                                            std::vector<std::vector<TokenPos>>& positions) override;

 private:
  const RecordedSequence& sequence_;
  TraceStore* store_;
  LayerId first_;
  std::optional<HeadId> only_head_;  // keep this query head and its KV head alone
  std::int32_t group_;
};

/// Runs the whole sequence through the first layers of `pass`, into `cache`, which is reset first. `on_progress` is
/// told of tokens. Errors: interrupted, out_of_memory, internal.
[[nodiscard]] Expected<void> replay(const RecordedSequence& sequence, ChunkPass& pass, kernels::KvCache& cache,
                                    ReplayObserver& observer, ChunkExtent extent, std::stop_token stop,
                                    const std::function<void(std::int64_t done, std::int64_t total)>& on_progress = {});

/// The same on a device, in chunks of at most `most_tokens`.
[[nodiscard]] Expected<void> replay(const RecordedSequence& sequence, DevicePass& pass, std::int64_t most_tokens,
                                    ReplayObserver& observer, ChunkExtent extent, std::stop_token stop);

}  // namespace natscope
