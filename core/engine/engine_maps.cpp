// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <string>

#include "core/cache/head_checks.h"
#include "core/cache/kernel_status.h"
#include "core/engine/engine_state.h"

namespace natscope {

namespace {

/// A replayed layer that takes no more than this, or than the trace store may, is kept whole; of a larger one a head.
constexpr std::int64_t whole_layer_bytes = 64LL << 20U;
/// Where several fit, one that is asked for brings its neighbours, for which the text need not be read again: one below
/// it, which costs nothing, and others above, to which the text is then read a little further.
constexpr std::int32_t most_layers = 4;

}  // namespace

HeadMask Engine::State::mask_of(LayerId layer, KvHeadId kv_head) const {
  const std::shared_lock lock(record_mutex);
  const std::span<const std::int32_t> last = record.last_query(layer, kv_head);
  return {sequence, {last.begin(), last.end()}};
}

Expected<void> Engine::State::check_sequence(std::uint64_t wanted) const {
  const std::shared_lock lock(record_mutex);
  if (sequence == wanted) return {};
  return fail(ErrorCode::interrupted, "another text was begun while the map was drawn");
}

/// Processes the recorded text once more up to `layer` and a few more, with everything decided as it was, and keeps
/// their rows.
Expected<void> Engine::State::replay_layer(std::uint64_t of_sequence, LayerId layer, HeadId head, std::stop_token stop,
                                           const ReplayProgress& on_replay) const {
  const ModelConfig& config = folder.config();
  RecordedSequence recorded;
  {
    const std::shared_lock lock(record_mutex);
    if (sequence != of_sequence) return fail(ErrorCode::interrupted, "another text was begun while the map was drawn");
    recorded = RecordedSequence::copy(record, std::min(layer.value + most_layers, geometry.layers),
                                      decider->plan().policy, weighed);
  }
  const auto tokens = static_cast<std::int64_t>(recorded.tokens.size());
  const std::int64_t layer_bytes =
      tokens * (config.q_rows() + config.kv_rows()) * kernels::element_bytes(geometry.dtype);
  const std::int64_t room_bytes = std::max(whole_layer_bytes, store.budget_bytes());
  const bool whole = layer_bytes <= room_bytes;
  const auto fitting = static_cast<std::int32_t>(std::clamp<std::int64_t>(room_bytes / layer_bytes, 1, most_layers));
  const std::int32_t first = std::max(layer.value - (fitting > 1 ? 1 : 0), 0);
  const std::int32_t end = std::min(first + fitting, geometry.layers);

  CacheGeometry kept = geometry;
  kept.layers = end - first;
  if (!whole) kept.kv_heads = 1;
  replayed = {};
  auto rows = std::make_unique<TraceStore>(kept, whole ? config.heads : 1, std::numeric_limits<std::int64_t>::max() / 4,
                                           tokens);
  ReplayObserver observer(recorded, rows.get(), LayerId(first), whole ? std::nullopt : std::optional(head),
                          config.group());
  std::unique_ptr<kernels::KvCache> replay_cache;
  NATSCOPE_CHECK(from_status(
      kernels::KvCache::create({end, geometry.kv_heads, geometry.head_dim, geometry.dtype}, replay_cache), "cache"));
  ChunkPass pass(config, weights, geometry.dtype);
  NATSCOPE_CHECK(replay(recorded, pass, *replay_cache, observer, {end, ChunkExtent::Hidden::none}, stop, on_replay));
  replayed = {of_sequence, LayerId(first), end - first, whole ? std::nullopt : std::optional(head),
              tokens,      std::move(rows)};
  return {};
}

/// Draws from the trace store, or from a replay of the layer when the store gave it up.
template <class Draw>
auto Engine::State::draw(LayerId layer, HeadId head, std::int64_t tokens_needed, std::stop_token stop,
                         const ReplayProgress& on_replay, const Draw& draw_from) const
    -> decltype(draw_from(std::declval<const TraceStore&>(), layer, head, std::span<const std::int32_t>())) {
  const ModelConfig& config = folder.config();
  NATSCOPE_CHECK(check_layer(layer, geometry.layers));
  NATSCOPE_CHECK(check_head(head, config.heads));
  const KvHeadId kv_head = kv_head_of(head, config.heads, config.kv_heads);
  const HeadMask mask = mask_of(layer, kv_head);
  if (mask.last_query.empty()) return fail(ErrorCode::bad_position, "there is no text yet, and so no map");
  if (store.has(layer)) {
    auto drawn = draw_from(store, layer, head, std::span<const std::int32_t>(mask.last_query));
    NATSCOPE_CHECK(check_sequence(mask.sequence));  // the rows were of the mask's text
    if (drawn || store.has(layer)) return drawn;
  }

  const std::lock_guard lock(replay_mutex);
  const auto wanted = std::min(tokens_needed, static_cast<std::int64_t>(mask.last_query.size()));
  const bool fits = replayed.has(layer) && replayed.sequence == mask.sequence &&
                    (!replayed.head || *replayed.head == head) && replayed.tokens >= wanted;
  if (!fits) NATSCOPE_CHECK(replay_layer(mask.sequence, layer, head, stop, on_replay));
  return draw_from(*replayed.store, LayerId(layer.value - replayed.first.value), replayed.head ? HeadId(0) : head,
                   std::span<const std::int32_t>(mask.last_query));
}

Expected<AttentionTile> Engine::tile(const TileKey& key, std::stop_token stop, const ReplayProgress& on_replay,
                                     std::span<const std::int32_t> other_last_query) const {
  return guarded([&]() -> Expected<AttentionTile> {
    use_threads(state_->threads);
    if (!key.is_possible()) return fail(ErrorCode::bad_position, "there is no such tile");
    const std::int64_t needed = std::max(key.first_query(), key.first_key()) + tile_cells * key.tokens_a_cell();
    return state_->draw(
        key.layer, key.head, needed, stop, on_replay,
        [&](const TraceStore& from, LayerId layer, HeadId head, std::span<const std::int32_t> last_query) {
          Expected<AttentionTile> tile =
              from.tile({layer, head, key.zoom, key.row, key.column}, last_query, stop, other_last_query);
          if (tile) tile->key = key;
          return tile;
        });
  });
}

Expected<void> Engine::weights(LayerId layer, HeadId head, TokenPos first_query, TokenPos first_key,
                               kernels::View<float, 2> out, kernels::View<std::uint8_t, 2> visible,
                               std::stop_token stop, const ReplayProgress& on_replay) const {
  return guarded([&]() -> Expected<void> {
    use_threads(state_->threads);
    const std::int64_t needed = std::max(first_query.value + out.size(0), first_key.value + out.size(1));
    return state_->draw(
        layer, head, needed, stop, on_replay,
        [&](const TraceStore& from, LayerId in_layer, HeadId in_head, std::span<const std::int32_t> last_query) {
          return from.weights(in_layer, in_head, first_query, first_key, last_query, out, visible, stop);
        });
  });
}

}  // namespace natscope
