// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/trace_store.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <new>
#include <string>
#include <utility>

#include "core/base/any_cpu.h"
#include "core/base/cancel.h"
#include "core/cache/head_checks.h"
#include "core/cache/kernel_status.h"
#include "core/explore/reserved_memory.h"
#include "kernels/attention_statistics.h"
#include "kernels/attention_tile.h"

namespace natscope {

namespace {

constexpr std::int64_t rows_at_once = 64;
// The system hands out memory by the page unless it is asked for more.
constexpr std::int64_t ready_block_bytes = 128LL << 10U;
constexpr std::int64_t pairs_between_stops = 16LL << 20U;  // a few milliseconds

/// Values of a bf16 engine are bf16 already: their upper halves are all there is. Others are rounded.
NATSCOPE_ANY_CPU void store_bf16(kernels::Bf16* to, const float* from, std::int64_t count) {
  std::uint32_t lost = 0;
  for (std::int64_t d = 0; d < count; ++d) {
    const auto bits = std::bit_cast<std::uint32_t>(from[d]);
    to[d].bits = static_cast<std::uint16_t>(bits >> 16U);
    lost |= bits & 0xffffU;
  }
  if (lost == 0) return;
  for (std::int64_t d = 0; d < count; ++d) to[d] = kernels::to_bf16(from[d]);
}

/// Writes `count` numbers in the stored type.
void store_row(std::byte* to, const float* from, std::int64_t count, kernels::ElementType dtype) {
  if (dtype == kernels::ElementType::f32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  } else {
    store_bf16(reinterpret_cast<kernels::Bf16*>(to), from, count);
  }
}

/// One token of rows [heads, n, head_dim]. As engines lay them out its heads stand one behind the other.
void store_heads(std::byte* to, const kernels::ConstView<float, 3>& rows, std::int64_t token,
                 kernels::ElementType dtype) {
  const std::int64_t heads = rows.size(0);
  const std::int64_t head_dim = rows.size(2);
  if (rows.stride(0) == head_dim) return store_row(to, &rows(0, token, 0), heads * head_dim, dtype);
  for (std::int64_t head = 0; head < heads; ++head, to += head_dim * kernels::element_bytes(dtype))
    store_row(to, &rows(head, token, 0), head_dim, dtype);
}

}  // namespace

/// Token by token: [max_tokens][heads + kv_heads][head_dim] of the stored type, then lse [heads][max_tokens].
struct TraceStore::LayerRows {
  ReservedMemory rows;
  ReservedMemory lse;
  std::int64_t capacity = 0;

  [[nodiscard]] float* lse_of(std::int64_t head) const {
    return reinterpret_cast<float*>(lse.data()) + head * capacity;
  }

  /// Before the first `end_bytes` of `rows` are written.
  void make_ready(std::int64_t end_bytes) {
    if (end_bytes <= ready_bytes) return;
    const std::int64_t next = std::max(end_bytes, ready_bytes + ready_block_bytes);
    rows.make_ready(static_cast<std::size_t>(ready_bytes), static_cast<std::size_t>(next));
    ready_bytes = next;
  }
  std::int64_t ready_bytes = 0;
};

struct TraceStore::Source {
  std::shared_ptr<LayerRows> rows;
  kernels::AttentionMapSource map;
  std::int64_t tokens = 0;
};

TraceStore::TraceStore(CacheGeometry geometry, std::int32_t heads, std::int64_t budget_bytes, std::int64_t max_tokens,
                       std::optional<LayerId> only)
    : geometry_(geometry), heads_(heads), budget_bytes_(budget_bytes), max_tokens_(max_tokens), only_(only) {
  slots_.resize(static_cast<std::size_t>(geometry.layers));
  clear();
}

TraceStore::~TraceStore() = default;

void TraceStore::clear() {
  const std::lock_guard lock(mutex_);
  const bool no_room = budget_bytes_ < token_bytes() || max_tokens_ < 1;
  for (std::size_t layer = 0; layer < slots_.size(); ++layer) {
    const bool is_left_out = only_ && static_cast<std::size_t>(only_->value) != layer;
    slots_[layer] = {nullptr, 0, no_room || is_left_out};
  }
  stored_tokens_ = 0;
}

std::int64_t TraceStore::row_bytes() const {
  return (std::int64_t{heads_} + geometry_.kv_heads) * geometry_.head_dim * kernels::element_bytes(geometry_.dtype);
}

/// What one token takes in one layer.
std::int64_t TraceStore::token_bytes() const { return row_bytes() + heads_ * static_cast<std::int64_t>(sizeof(float)); }

void TraceStore::give_up(Slot& slot) {
  stored_tokens_ -= slot.tokens;
  slot = {nullptr, 0, true};
}

/// Whether `layer` may grow by `tokens`, after giving up what has to go.
bool TraceStore::make_room(LayerId layer, std::int64_t tokens) {
  Slot& slot = slots_[static_cast<std::size_t>(layer.value)];
  for (std::size_t last = slots_.size();
       !slot.given_up && used_bytes_locked() + tokens * token_bytes() > budget_bytes_;) {
    if (last == 0) break;
    --last;
    give_up(slots_[last]);
  }
  if (!slot.given_up && slot.tokens + tokens > max_tokens_) give_up(slot);
  if (slot.given_up || slot.rows) return !slot.given_up;

  const std::int64_t capacity = std::min(max_tokens_, budget_bytes_ / token_bytes());
  auto rows = std::make_shared<LayerRows>();
  rows->rows = ReservedMemory(static_cast<std::size_t>(capacity * row_bytes()));
  rows->lse = ReservedMemory(static_cast<std::size_t>(capacity * heads_) * sizeof(float));
  rows->capacity = capacity;
  if (rows->rows.data() == nullptr || rows->lse.data() == nullptr) {
    slot.given_up = true;
    return false;
  }
  slot.rows = std::move(rows);
  return true;
}

Expected<void> TraceStore::append(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                  kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse) {
  const std::int64_t count = queries.size(1);
  Slot& slot = slots_[static_cast<std::size_t>(layer.value)];
  if (slot.given_up || count == 0) return {};
  if (first.value != slot.tokens) return fail(ErrorCode::internal, "trace store: tokens out of order");
  if (!slot.rows || used_bytes_locked() + count * token_bytes() > budget_bytes_ || slot.tokens + count > max_tokens_) {
    const std::lock_guard lock(mutex_);
    if (!make_room(layer, count)) return {};
  }

  // What is written here no reader looks at until slot.tokens says that it is there.
  LayerRows& rows = *slot.rows;
  rows.make_ready((first.value + count) * row_bytes());
  for (std::int64_t n = 0; n < count; ++n) {
    std::byte* const to = rows.rows.data() + (first.value + n) * row_bytes();
    store_heads(to, queries, n, geometry_.dtype);
    store_heads(to + heads_ * geometry_.head_dim * kernels::element_bytes(geometry_.dtype), keys, n, geometry_.dtype);
  }
  for (std::int64_t head = 0; head < heads_; ++head) {
    float* const of_head = rows.lse_of(head) + first.value;
    for (std::int64_t n = 0; n < count; ++n) of_head[n] = lse(head, n);
  }

  const std::lock_guard lock(mutex_);
  slot.tokens += count;
  stored_tokens_ += count;
  return {};
}

void TraceStore::truncate(std::int64_t tokens) {
  const std::lock_guard lock(mutex_);
  stored_tokens_ = 0;
  for (Slot& slot : slots_) {
    slot.tokens = std::min(slot.tokens, tokens);
    stored_tokens_ += slot.tokens;
  }
}

bool TraceStore::has(LayerId layer) const {
  const std::lock_guard lock(mutex_);
  return layer.value >= 0 && layer.value < geometry_.layers &&
         slots_[static_cast<std::size_t>(layer.value)].rows != nullptr;
}

std::int64_t TraceStore::tokens(LayerId layer) const {
  const std::lock_guard lock(mutex_);
  return slots_[static_cast<std::size_t>(layer.value)].tokens;
}

std::int64_t TraceStore::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_locked();
}

Expected<TraceStore::Source> TraceStore::source(LayerId layer, HeadId head,
                                                std::span<const std::int32_t> last_query) const {
  NATSCOPE_CHECK(check_layer(layer, geometry_.layers));
  NATSCOPE_CHECK(check_head(head, heads_));
  Source source;
  {
    const std::lock_guard lock(mutex_);
    const Slot& slot = slots_[static_cast<std::size_t>(layer.value)];
    source.rows = slot.rows;
    source.tokens = std::min(slot.tokens, static_cast<std::int64_t>(last_query.size()));
  }
  if (!source.rows)
    return fail(ErrorCode::bad_layer, "layer " + std::to_string(layer.value) + " is not in the trace store");

  const std::int64_t width = std::int64_t{heads_} + geometry_.kv_heads;
  const std::int64_t head_bytes = geometry_.head_dim * kernels::element_bytes(geometry_.dtype);
  const std::int64_t kv_row = heads_ + kv_head_of(head, heads_, geometry_.kv_heads).value;
  const auto stored = [&](std::int64_t row) {
    return kernels::StoredRows{source.rows->rows.data() + row * head_bytes, geometry_.dtype, source.tokens,
                               geometry_.head_dim, width * geometry_.head_dim};
  };
  const auto tokens = static_cast<std::size_t>(source.tokens);
  source.map = {
      stored(head.value), stored(kv_row), {source.rows->lse_of(head.value), tokens}, last_query.first(tokens)};
  return source;
}

Expected<std::optional<AttentionSummary>> TraceStore::summary(const Source& from,
                                                              std::span<const std::int32_t> other_last_query,
                                                              const std::stop_token& stop) {
  AttentionSums sums;
  std::vector<float> room;
  const auto add = [&](std::int64_t first, std::int64_t queries, bool is_compared) -> Expected<void> {
    if (queries <= 0) return {};
    const auto count = static_cast<std::size_t>(queries);
    room.resize(kernels::RowStatisticsOut::kinds * count);
    const auto part = [&](std::size_t which) { return std::span<float>(room).subspan(which * count, count); };
    const kernels::RowStatisticsOut rows{part(0), part(1), part(2), part(3),
                                         is_compared ? part(4) : std::span<float>()};
    const TokenPos at(static_cast<std::int32_t>(first));
    NATSCOPE_CHECK(from_status(kernels::row_statistics(kernels::Backend::cpu, from.map, at, other_last_query, rows),
                               "attention map"));
    sums.add(rows);
    return {};
  };
  for (const QueryRun& run : summary_queries(from.tokens)) {
    NATSCOPE_CHECK(check(stop));
    const std::int64_t end = std::int64_t{run.first} + run.count;
    // The other run may have read only the beginning of these.
    const std::int64_t split = std::clamp<std::int64_t>(std::ssize(other_last_query), run.first, end);
    NATSCOPE_CHECK(add(run.first, split - run.first, true));
    NATSCOPE_CHECK(add(split, end - split, false));
  }
  return sums.mean();
}

Expected<AttentionTile> TraceStore::tile(const TileKey& key, std::span<const std::int32_t> last_query,
                                         std::stop_token stop, std::span<const std::int32_t> other_last_query) const {
  NATSCOPE_TRY(const Source from, source(key.layer, key.head, last_query));
  if (!key.is_possible()) return fail(ErrorCode::bad_position, "there is no such tile");
  const std::int64_t step = key.tokens_a_cell();
  const std::int64_t first_row = key.first_query();
  const std::int64_t first_column = key.first_key();
  if (first_row >= from.tokens || first_column >= from.tokens) {
    return fail(ErrorCode::bad_position, "a tile beyond the " + std::to_string(from.tokens) + " tokens of the map");
  }

  const auto cells = [&](std::int64_t first) {
    return std::min<std::int64_t>(tile_cells, (from.tokens - first + step - 1) / step);
  };
  try {
    AttentionTile tile{key,
                       from.tokens,
                       static_cast<std::int32_t>(cells(first_row)),
                       static_cast<std::int32_t>(cells(first_column)),
                       {},
                       {},
                       {}};
    const std::size_t size = static_cast<std::size_t>(tile.rows) * static_cast<std::size_t>(tile.columns);
    tile.maximum.resize(size);
    tile.mean.resize(size);
    tile.visible_share.resize(size);
    // A coarse tile of a long text stands for billions of pairs: some rows of it at a time.
    const std::int64_t row_pairs = step * std::min(from.tokens, tile.columns * step);
    const std::int64_t band = std::clamp<std::int64_t>(pairs_between_stops / row_pairs, 1, tile.rows);
    for (std::int64_t row = 0; row < tile.rows; row += band) {
      NATSCOPE_CHECK(check(stop));
      const std::int64_t rows = std::min(band, tile.rows - row);
      const auto part = [&](std::vector<float>& values) {
        return kernels::View<float, 2>::packed(values.data() + row * tile.columns, {rows, tile.columns});
      };
      NATSCOPE_CHECK(from_status(kernels::attention_tile(kernels::Backend::cpu, from.map,
                                                         TokenPos(static_cast<std::int32_t>(first_row + row * step)),
                                                         TokenPos(static_cast<std::int32_t>(first_column)), key.zoom,
                                                         part(tile.maximum), part(tile.mean), part(tile.visible_share)),
                                 "attention map"));
    }
    if (tile.is_whole_map()) {
      NATSCOPE_TRY(tile.summary, summary(from, other_last_query, stop));
    }
    return tile;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a tile of the map");
  }
}

Expected<void> TraceStore::weights(LayerId layer, HeadId head, TokenPos first_query, TokenPos first_key,
                                   std::span<const std::int32_t> last_query, kernels::View<float, 2> out,
                                   kernels::View<std::uint8_t, 2> visible, std::stop_token stop) const {
  NATSCOPE_TRY(const Source from, source(layer, head, last_query));
  const std::int64_t queries = out.size(0);
  const std::int64_t keys = out.size(1);
  if (first_query.value < 0 || first_key.value < 0 || first_query.value + queries > from.tokens ||
      first_key.value + keys > from.tokens) {
    return fail(ErrorCode::bad_position,
                "a rectangle beyond the " + std::to_string(from.tokens) + " tokens of the map");
  }
  try {
    // The kernel writes three numbers a cell; only a few rows at a time need the other two.
    std::vector<float> mean(static_cast<std::size_t>(std::min(queries, rows_at_once) * keys));
    std::vector<float> share(mean.size());
    for (std::int64_t row = 0; row < queries; row += rows_at_once) {
      NATSCOPE_CHECK(check(stop));
      const std::int64_t rows = std::min(rows_at_once, queries - row);
      const kernels::View<float, 2> block{&out(row, 0), {rows, keys}, out.strides};
      NATSCOPE_CHECK(
          from_status(kernels::attention_tile(kernels::Backend::cpu, from.map,
                                              TokenPos(first_query.value + static_cast<std::int32_t>(row)), first_key,
                                              0, block, kernels::View<float, 2>::packed(mean.data(), {rows, keys}),
                                              kernels::View<float, 2>::packed(share.data(), {rows, keys})),
                      "attention map"));
      if (visible.data == nullptr) continue;
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < keys; ++j)
          visible(row + i, j) = share[static_cast<std::size_t>(i * keys + j)] > 0 ? 1 : 0;
      }
    }
    return {};
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a part of the map");
  }
}

}  // namespace natscope
