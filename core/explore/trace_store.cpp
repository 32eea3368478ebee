// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/trace_store.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "core/base/cancel.h"
#include "core/explore/reserved_memory.h"
#include "kernels/attention_tile.h"

namespace natscope {

namespace {

constexpr std::int32_t max_zoom = 24;
constexpr std::int64_t rows_at_once = 64;
constexpr std::int64_t pairs_between_stops = 16LL << 20U;  // a few milliseconds

/// Writes `count` numbers in the stored type. Values of a bf16 engine are bf16 already, so nothing is lost.
void store_row(std::byte* to, const float* from, std::int64_t count, kernels::ElementType dtype) {
  if (dtype == kernels::ElementType::f32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
    return;
  }
  auto* const out = reinterpret_cast<kernels::Bf16*>(to);
  for (std::int64_t d = 0; d < count; ++d) out[d] = kernels::to_bf16(from[d]);
}

Expected<void> from_status(kernels::Status status) {
  if (status.ok()) return {};
  if (status.code == kernels::StatusCode::out_of_memory)
    return fail(ErrorCode::out_of_memory, "no memory to draw the map");
  return fail(ErrorCode::internal, std::string("attention map: ") + status.detail);
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
};

struct TraceStore::Source {
  std::shared_ptr<LayerRows> rows;
  kernels::AttentionMapSource map;
  std::int64_t tokens = 0;
};

TraceStore::TraceStore(CacheGeometry geometry, std::int32_t heads, std::int64_t budget_bytes, std::int64_t max_tokens)
    : geometry_(geometry), heads_(heads), budget_bytes_(budget_bytes), max_tokens_(max_tokens) {
  slots_.resize(static_cast<std::size_t>(geometry.layers));
}

TraceStore::~TraceStore() = default;

void TraceStore::clear() {
  const std::lock_guard lock(mutex_);
  for (Slot& slot : slots_) slot = {};
}

std::int64_t TraceStore::row_bytes() const {
  return (std::int64_t{heads_} + geometry_.kv_heads) * geometry_.head_dim * kernels::element_bytes(geometry_.dtype);
}

std::int64_t TraceStore::used_bytes_locked() const {
  std::int64_t tokens = 0;
  for (const Slot& slot : slots_) tokens += slot.tokens;
  return tokens * (row_bytes() + heads_ * static_cast<std::int64_t>(sizeof(float)));
}

/// Whether `layer` may grow by `tokens`, after giving up what has to go.
bool TraceStore::make_room(LayerId layer, std::int64_t tokens) {
  const std::int64_t token_bytes = row_bytes() + heads_ * static_cast<std::int64_t>(sizeof(float));
  Slot& slot = slots_[static_cast<std::size_t>(layer.value)];
  for (std::size_t last = slots_.size();
       !slot.given_up && used_bytes_locked() + tokens * token_bytes > budget_bytes_;) {
    if (last == 0) break;
    --last;
    slots_[last] = {nullptr, 0, true};
  }
  if (!slot.given_up && slot.tokens + tokens > max_tokens_) slot = {nullptr, 0, true};
  if (slot.given_up || slot.rows) return !slot.given_up;

  const std::int64_t capacity = std::min(max_tokens_, budget_bytes_ / token_bytes);
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
  std::shared_ptr<LayerRows> rows;
  {
    const std::lock_guard lock(mutex_);
    if (slot.given_up || count == 0) return {};
    if (first.value != slot.tokens) return fail(ErrorCode::internal, "trace store: tokens out of order");
    if (!make_room(layer, count)) return {};
    rows = slot.rows;
  }

  const std::int64_t head_bytes = geometry_.head_dim * kernels::element_bytes(geometry_.dtype);
  for (std::int64_t n = 0; n < count; ++n) {
    std::byte* to = rows->rows.data() + (first.value + n) * row_bytes();
    for (std::int64_t head = 0; head < heads_; ++head, to += head_bytes) {
      store_row(to, &queries(head, n, 0), geometry_.head_dim, geometry_.dtype);
    }
    for (std::int64_t head = 0; head < geometry_.kv_heads; ++head, to += head_bytes) {
      store_row(to, &keys(head, n, 0), geometry_.head_dim, geometry_.dtype);
    }
    for (std::int64_t head = 0; head < heads_; ++head) rows->lse_of(head)[first.value + n] = lse(head, n);
  }

  const std::lock_guard lock(mutex_);
  if (slot.rows == rows) slot.tokens += count;
  return {};
}

void TraceStore::truncate(std::int64_t tokens) {
  const std::lock_guard lock(mutex_);
  for (Slot& slot : slots_) slot.tokens = std::min(slot.tokens, tokens);
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
  if (layer.value < 0 || layer.value >= geometry_.layers)
    return fail(ErrorCode::bad_layer, "no layer " + std::to_string(layer.value));
  if (head.value < 0 || head.value >= heads_) return fail(ErrorCode::bad_head, "no head " + std::to_string(head.value));
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

Expected<AttentionTile> TraceStore::tile(const TileKey& key, std::span<const std::int32_t> last_query,
                                         std::stop_token stop) const {
  NATSCOPE_TRY(const Source from, source(key.layer, key.head, last_query));
  if (key.zoom < 0 || key.zoom > max_zoom)
    return fail(ErrorCode::bad_position, "no zoom level " + std::to_string(key.zoom));
  const std::int64_t step = std::int64_t{1} << key.zoom;
  const std::int64_t first_row = std::int64_t{key.row} * tile_cells * step;
  const std::int64_t first_column = std::int64_t{key.column} * tile_cells * step;
  if (key.row < 0 || key.column < 0 || first_row >= from.tokens || first_column >= from.tokens) {
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
      NATSCOPE_CHECK(from_status(kernels::attention_tile(
          kernels::Backend::cpu, from.map, TokenPos(static_cast<std::int32_t>(first_row + row * step)),
          TokenPos(static_cast<std::int32_t>(first_column)), key.zoom, part(tile.maximum), part(tile.mean),
          part(tile.visible_share))));
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
      NATSCOPE_CHECK(from_status(kernels::attention_tile(
          kernels::Backend::cpu, from.map, TokenPos(first_query.value + static_cast<std::int32_t>(row)), first_key, 0,
          block, kernels::View<float, 2>::packed(mean.data(), {rows, keys}),
          kernels::View<float, 2>::packed(share.data(), {rows, keys}))));
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
