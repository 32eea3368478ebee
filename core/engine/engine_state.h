// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "core/device/torch_errors.h"
#include "core/engine/engine.h"
#include "core/engine/frame_recorder.h"
#include "core/engine/passes/chunk_pass.h"
#include "core/engine/passes/device_pass.h"
#include "core/engine/passes/row_pass.h"
#include "core/engine/products/prepared_weights.h"
#include "core/engine/replay.h"
#include "core/explore/trace_store.h"
#include "core/io/model_folder.h"
#include "core/sampling/sampler.h"
#include "kernels/kv_cache.h"

namespace natscope {

/// Layers that were replayed for a map of one of them: kept until another one is asked for.
struct ReplayedLayers {
  std::uint64_t sequence = 0;  // State::sequence of the text that they belong to
  LayerId first;
  std::int32_t count = 0;
  std::optional<HeadId> head;  // set when only this head of the one layer was kept
  std::int64_t tokens = 0;
  std::unique_ptr<TraceStore> store;  // from its layer 0 on

  [[nodiscard]] bool has(LayerId layer) const {
    return store && layer.value >= first.value && layer.value < first.value + count;
  }
};

/// What the logits of a prompt's chunk say: of each token, how likely it was, and what might come after it.
struct PromptReading {
  std::vector<float> probability;                       // [n]; 0 where it was not computed
  std::vector<std::vector<TokenCandidate>> candidates;  // [n], empty where not kept
  std::vector<float> last;                              // logits [vocab] of the last token
};

/// What a head's map is masked by, and the text that it is of.
struct HeadMask {
  std::uint64_t sequence = 0;  // State::sequence
  std::vector<std::int32_t> last_query;
};

struct Engine::State {
  State(ModelFolder opened, PreparedWeights prepared, CacheGeometry cache_geometry, int thread_count,
        std::int64_t trace_store_bytes, std::optional<LayerId> stored_layer);

  /// Whether only the model's first layers are here: see EngineOptions::layers.
  [[nodiscard]] bool is_partial() const { return geometry.layers < folder.config().layers; }
  [[nodiscard]] Expected<void> start(RolePlan plan, std::int64_t prompt_tokens = 0);
  /// Errors: bad_token_id, prompt_too_long, bad_roles: what can be said before any work is done.
  [[nodiscard]] Expected<void> check_tokens(std::span<const std::int32_t> tokens) const;
  /// How many tokens the next prefill reads: they end the prompt, unless there was one, or something was written. None
  /// (a step): nothing is weighed.
  void set_prompt(std::optional<std::int64_t> tokens);
  /// Brings the cache back to what the record says, after a pass that did not come to its end.
  [[nodiscard]] Expected<void> restore(std::stop_token stop);
  /// A pass ended early: the record stands, the cache holds more or less than it says.
  void give_up_pass(bool cache_changed);
  /// The pass of a step or a chunk and its logits, on the device that is there or on the CPU; what the cache of that
  /// one holds.
  [[nodiscard]] Expected<void> run_row(std::int32_t token, TokenPos position, std::stop_token stop);
  [[nodiscard]] Expected<void> row_logits(std::span<float> out);
  [[nodiscard]] Expected<void> run_chunk(std::span<const std::int32_t> tokens, TokenPos first, ChunkExtent extent,
                                         std::stop_token stop);
  [[nodiscard]] Expected<void> chunk_logits(std::int64_t index, std::int64_t n, std::span<float> out,
                                            std::stop_token stop);
  [[nodiscard]] std::int64_t most_chunk_tokens() const;
  [[nodiscard]] std::int64_t held_entries() const;
  [[nodiscard]] std::int64_t allocated_bytes() const;
  [[nodiscard]] Expected<void> append(std::vector<TokenFrame> frames);
  /// The model's probability of `token` after what was processed; 0 before the first one.
  [[nodiscard]] float probability_of(std::int32_t token) const;
  void set_logits_ready(double log_sum_exp);

  [[nodiscard]] Expected<void> prefill_chunk(std::span<const std::int32_t> tokens, const PrefillOptions& options,
                                             std::function<void(LayerId)> on_layer, std::stop_token stop);
  [[nodiscard]] Expected<void> read_prompt(std::span<const std::int32_t> tokens, const PrefillOptions& options,
                                           PromptReading& reading, std::stop_token stop);
  [[nodiscard]] Expected<void> step(std::int32_t token, bool generated, std::int32_t candidates, std::stop_token stop);

  [[nodiscard]] HeadMask mask_of(LayerId layer, KvHeadId kv_head) const;
  [[nodiscard]] Expected<void> check_sequence(std::uint64_t wanted) const;
  template <class Draw>
  [[nodiscard]] auto draw(LayerId layer, HeadId head, std::int64_t tokens_needed, std::stop_token stop,
                          const ReplayProgress& on_replay, const Draw& draw_from) const
      -> decltype(draw_from(std::declval<const TraceStore&>(), layer, head, std::span<const std::int32_t>()));
  [[nodiscard]] Expected<void> replay_layer(std::uint64_t of_sequence, LayerId layer, HeadId head, std::stop_token stop,
                                            const ReplayProgress& on_replay) const;

  ModelFolder folder;
  PreparedWeights weights;
  CacheGeometry geometry;
  int threads = 1;
  bool has_scores = false;

  std::unique_ptr<DevicePass> device;       // null: the CPU computes
  std::unique_ptr<kernels::KvCache> cache;  // the CPU's; empty while the device keeps its own
  bool cache_is_stale = false;
  TraceStore store;
  RowPass row_pass;
  ChunkPass chunk_pass;

  std::uint64_t sequence = 0;  // counts start()s
  std::optional<RoleDecider> decider;
  std::optional<FrameRecorder> recorder;
  WeighedTokens weighed;        // of the prompt, once a prefill has begun to read it; changes under record_mutex
  bool prompt_is_read = false;  // a prefill came to its end: that was the prompt
  mutable std::shared_mutex
      record_mutex;  // held while the record changes, and by other threads while they copy from it
  SequenceRecord record;
  std::vector<std::int32_t> history;
  std::vector<float> logits;
  bool has_logits = false;
  double log_sum = 0;  // of logits
  double prefill_s = 0;

  mutable std::mutex replay_mutex;
  mutable ReplayedLayers replayed;
};

/// Runs `work`, turning what libraries throw into errors.
template <class Work>
[[nodiscard]] auto guarded(const Work& work) -> decltype(work()) {
  return without_exceptions({"no memory to go on", "take a smaller chunk, a shorter text, or a policy that keeps less"},
                            work);
}

}  // namespace natscope
