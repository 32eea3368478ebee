// SPDX-License-Identifier: GPL-3.0-or-later
// The host's side of the device's cache, and the kernels that run kv_append.h. The device alone knows how long heads are; the
// host knows a bound, and asks only when the bound does not do.
#include "kernels/cuda/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "kernels/cuda/block_team.cuh"
#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/kv_append.h"
#include "kernels/cuda/kv_evict.h"
#include "kernels/launch/argument_checks.h"

namespace natscope::kernels::cuda {

namespace {

constexpr int append_threads = 256;
constexpr std::int64_t rows_in_append =
    4;  // as many rows the append's own block writes; more go to blocks of their own

__device__ inline void store_row(const KvArena& arena, std::byte* row, const float* from) {
  for (auto d = static_cast<std::int32_t>(threadIdx.x % 32); d < arena.row_elements; d += 32) {
    const float number = d < arena.head_dim ? from[d] : 0.0F;
    if (arena.dtype == ElementType::f32) {
      reinterpret_cast<float*>(row)[d] = number;
    } else {
      reinterpret_cast<Bf16*>(row)[d] = to_bf16(number);
    }
  }
}

/// A token that goes to a slot, the `back`-th from the last one appended, by one warp; the head's state is that after
/// the append.
__device__ inline void write_entry(const KvHeadPages& head, std::int32_t slot, std::int64_t back, const float* key,
                                   const float* value) {
  if (slot < 0) return;
  std::byte* const row = head.key_row(slot);
  store_row(*head.arena, row, key);
  store_row(*head.arena, row + head.value_offset(), value);
  if (threadIdx.x % 32 == 0) head.position(slot) = head.state->next_position - static_cast<std::int32_t>(back);
}

/// The row-th token of an append to a layer.
__device__ inline void write_entry(const KvHeadPages& head, std::int64_t kv_head, std::int64_t row,
                                   const ConstView<float, 3>& keys, const ConstView<float, 3>& values) {
  write_entry(head, head.arena->slots[kv_head * head.arena->most_tokens + row], keys.sizes[1] - row,
              keys.data + kv_head * keys.strides[0] + row * keys.strides[1],
              values.data + kv_head * values.strides[0] + row * values.strides[1]);
}

__global__ void __launch_bounds__(append_threads)
    append_kernel(__grid_constant__ const KvArena arena, std::int32_t layer,
                  __grid_constant__ const ConstView<Role, 2> roles, __grid_constant__ const ConstView<float, 3> keys,
                  __grid_constant__ const ConstView<float, 3> values) {
  __shared__ AppendShared shared;
  const std::int64_t kv_head = blockIdx.x;
  const KvHeadPages head(arena, layer, kv_head);
  const AppendedTokens tokens{roles.data + kv_head * roles.strides[0], roles.strides[1],
                              static_cast<std::int32_t>(roles.sizes[1])};
  append_to_head(BlockTeam(), shared, head, tokens, arena.moves + 2 * kv_head * arena.most_moves,
                 arena.slots + kv_head * arena.most_tokens);
  if (tokens.count > rows_in_append) return;
  for (std::int64_t row = threadIdx.x / 32; row < tokens.count; row += append_threads / 32)
    write_entry(head, kv_head, row, keys, values);
}

/// The next token of up to layers_at_once layers, a block a head.
__global__ void __launch_bounds__(append_threads)
    append_token_kernel(__grid_constant__ const KvArena arena, std::int32_t first_layer,
                        __grid_constant__ const ConstView<Role, 2> roles,
                        __grid_constant__ const ConstView<float, 3> keys,
                        __grid_constant__ const ConstView<float, 3> values) {
  __shared__ AppendShared shared;
  const std::int64_t kv_head = blockIdx.x;
  const std::int64_t layer = first_layer + static_cast<std::int64_t>(blockIdx.y);
  const std::int64_t place = static_cast<std::int64_t>(blockIdx.y) * arena.kv_heads + kv_head;
  const KvHeadPages head(arena, layer, kv_head);
  const AppendedTokens token{roles.data + layer * roles.strides[0] + kv_head * roles.strides[1], 1, 1};
  append_to_head(BlockTeam(), shared, head, token, arena.moves + 2 * place * arena.most_moves, arena.slots + place);
  if (threadIdx.x >= 32) return;
  write_entry(head, arena.slots[place], 1, keys.data + layer * keys.strides[0] + kv_head * keys.strides[1],
              values.data + layer * values.strides[0] + kv_head * values.strides[1]);
}

__global__ void __launch_bounds__(append_threads)
    write_kernel(__grid_constant__ const KvArena arena, std::int32_t layer,
                 __grid_constant__ const ConstView<float, 3> keys, __grid_constant__ const ConstView<float, 3> values) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (append_threads / 32) + threadIdx.x / 32;
  if (row < keys.sizes[1]) write_entry(KvHeadPages(arena, layer, blockIdx.y), blockIdx.y, row, keys, values);
}

/// A block a layer.
__global__ void __launch_bounds__(append_threads)
    share_scores_kernel(__grid_constant__ const KvArena arena, __grid_constant__ const TokenDrops call) {
  const std::int64_t layer = blockIdx.x;
  const float* const self = call.self_scores.data + layer * call.self_scores.strides[0];
  const std::int64_t stride = call.self_scores.strides[1];
  share_scores(BlockTeam(), arena, call.layer + layer, [&](std::int32_t kv_head) { return self[kv_head * stride]; });
}

/// A block a head, of which the first one also takes pages back: every append of a long row of tokens then finds all
/// that are not in use.
__global__ void __launch_bounds__(append_threads)
    keep_by_scores_kernel(__grid_constant__ const KvArena arena, __grid_constant__ const TokenDrops call) {
  __shared__ AppendShared shared;
  if (blockIdx.x == 0 && blockIdx.y == 0) take_back_pages(BlockTeam(), shared, arena);
  const std::int64_t kv_head = blockIdx.x;
  const std::int64_t layer = blockIdx.y;
  const KvHeadPages head(arena, call.layer + layer, kv_head);
  const auto at = [&](const auto& view) { return view.data + layer * view.strides[0] + kv_head * view.strides[1]; };
  const std::int32_t dropped = keep_by_scores(BlockTeam(), head, *at(call.self_scores), *at(call.prescribed));
  if (threadIdx.x > 0) return;
  *at(call.dropped) = dropped;
  *at(call.held) = head.state->entries();
}

/// A block a head.
__global__ void __launch_bounds__(append_threads)
    drop_entries_kernel(__grid_constant__ const KvArena arena, __grid_constant__ const EntryDrops call) {
  __shared__ AppendShared shared;
  const std::int64_t place = static_cast<std::int64_t>(blockIdx.y) * arena.kv_heads + blockIdx.x;
  const std::int64_t first = place * call.from.sizes[2];
  keep_slots(BlockTeam(), shared, KvHeadPages(arena, call.layer + blockIdx.y, blockIdx.x), call.kept.data[place],
             call.from.data + first, call.to.data + first, call.moves.data[place]);
}

__global__ void take_back_kernel(__grid_constant__ const KvArena arena) {
  __shared__ AppendShared shared;
  take_back_pages(BlockTeam(), shared, arena);
}

__global__ void add_slab_kernel(__grid_constant__ const KvArena arena, std::int32_t slab, std::byte* base) {
  add_slab_pages(BlockTeam(), arena, slab, base);
}

Status cuda_allocate(void*, std::int64_t size_bytes, void** data) {
  return to_status(cudaMalloc(data, static_cast<std::size_t>(size_bytes)));
}
void cuda_release(void*, void* data) { cudaFree(data); }

std::int64_t mirror_bytes(const KvArena& arena) {
  return arena.head_count() * static_cast<std::int64_t>(sizeof(KvHeadState)) +
         static_cast<std::int64_t>(sizeof(KvPageStock));
}

float stored(const std::byte* row, ElementType dtype, std::int64_t d) {
  if (dtype == ElementType::f32) return reinterpret_cast<const float*>(row)[d];
  return to_float(reinterpret_cast<const Bf16*>(row)[d]);
}

}  // namespace

Status DeviceKvCache::create(const KvCacheShape& shape, std::int64_t max_tokens, const DeviceAllocator* allocator,
                             std::unique_ptr<DeviceKvCache>& cache) {
  if (shape.layers < 1 || shape.kv_heads < 1 || shape.head_dim < 1 || shape.page_entries < 1 || shape.limit_bytes < 0) {
    return {StatusCode::invalid_argument, "cache shape: every size at least 1"};
  }
  if (max_tokens < 1 || max_tokens >= std::numeric_limits<std::int32_t>::max() - shape.page_entries)
    return {StatusCode::invalid_argument, "max_tokens: from 1 on, less than 2^31"};
  if (shape.dtype == ElementType::f16) return {StatusCode::unsupported_dtype, "cache: f32 or bf16"};
  if (shape.head_dim > 256) return {StatusCode::unsupported_shape, "head_dim: at most 256"};
  if (shape.kv_heads > 65535) return {StatusCode::unsupported_shape, "kv_heads: at most 65535"};
  DeviceInfo info;
  if (const Status status = device_info(info); !status.ok()) return status;

  std::unique_ptr<DeviceKvCache> made(new (std::nothrow) DeviceKvCache);
  if (made == nullptr) return {StatusCode::out_of_memory, "cache"};
  made->shape_ = shape;
  made->max_tokens_ = max_tokens;
  made->allocator_ = allocator != nullptr ? *allocator : DeviceAllocator{nullptr, cuda_allocate, cuda_release};
  const std::int64_t limit = shape.limit_bytes > 0 ? std::min(shape.limit_bytes, info.memory_bytes) : info.memory_bytes;
  made->arena_ = sized_arena(shape, max_tokens, limit);
  const std::int64_t bytes = divide_tables(made->arena_, nullptr);
  if (const Status status = made->allocate(bytes, &made->tables_); !status.ok()) return status;
  divide_tables(made->arena_, made->tables_);
  if (const Status status = made->mirror_.allocate(mirror_bytes(made->arena_)); !status.ok()) return status;
  if (const Status status = made->reset(0, nullptr, nullptr); !status.ok()) return status;
  // Streams of their own do not wait for the default stream.
  if (const Status status = synchronize(nullptr); !status.ok()) return status;
  cache = std::move(made);
  return {};
}

DeviceKvCache::~DeviceKvCache() {
  cudaDeviceSynchronize();  // whoever still reads the pages has to be done
  release_slabs();
  release(moves_);
  release(slots_);
  release(scores_);
  release(tables_);
}

Status DeviceKvCache::allocate(std::int64_t size_bytes, void** data) const {
  return allocator_.allocate(allocator_.context, size_bytes, data);
}
void DeviceKvCache::release(void* data) const {
  if (data != nullptr) allocator_.release(allocator_.context, data);
}
void DeviceKvCache::release_slabs() {
  for (void* slab : slabs_) release(slab);
  slabs_.clear();
}

Status DeviceKvCache::reset(std::int64_t window, const ScoreRule* rule, Stream stream) {
  if (rule != nullptr && (rule->heavy < 0 || rule->recent < 0))
    return {StatusCode::invalid_argument, "heavy, recent: not below 0"};
  if (const Status status = synchronize(stream); !status.ok()) return status;
  release_slabs();
  release(moves_);
  moves_ = nullptr;
  arena_.moves = nullptr;
  known_free_ = 0;
  release(slots_);
  slots_ = nullptr;
  arena_.slots = nullptr;
  arena_.most_tokens = 0;
  release(scores_);
  scores_ = nullptr;
  arena_.scores = nullptr;
  set_window(arena_, window, max_tokens_);
  const std::int64_t scores_bytes = set_score_rule(arena_, rule, max_tokens_);
  window_ = arena_.window;
  if (arena_.moves_bytes() > 0) {
    if (const Status status = allocate(arena_.moves_bytes(), &moves_); !status.ok()) return status;
  }
  arena_.moves = static_cast<std::int32_t*>(moves_);
  if (scores_bytes > 0) {
    if (const Status status = allocate(scores_bytes, &scores_); !status.ok()) {
      arena_.most_scored = 0;
      return status;
    }
  }
  arena_.scores = static_cast<float*>(scores_);
  if (keeps_scores() && !takes_one_by_one()) {  // else a token's own score comes before any that is added to it
    if (const Status status = fill_bytes(scores_, 0, scores_bytes, stream); !status.ok()) return status;
  }
  std::memset(mirror_.as<std::byte>(), 0, static_cast<std::size_t>(mirror_.size_bytes()));
  return fill_bytes(arena_.heads, 0, mirror_.size_bytes(), stream);
}

Status DeviceKvCache::reserve_slots(std::int64_t tokens, Stream stream) {
  if (tokens <= arena_.most_tokens) return {};
  if (const Status status = synchronize(stream); !status.ok()) return status;
  release(slots_);
  slots_ = nullptr;
  arena_.slots = nullptr;  // a recording that writes there is none any more, whatever comes of the new ones
  arena_.most_tokens = static_cast<std::int32_t>(tokens);
  if (const Status status = allocate(arena_.slots_bytes(), &slots_); !status.ok()) {
    arena_.most_tokens = 0;
    return status;
  }
  arena_.slots = static_cast<std::int32_t*>(slots_);
  return {};
}

Status DeviceKvCache::reserve(std::int64_t tokens, std::int64_t layers, Stream stream) {
  if (tokens < 0 || tokens > max_tokens_) return {StatusCode::invalid_argument, "reserve: tokens over max_tokens"};
  if (layers < 0 || layers > arena_.layers) return {StatusCode::invalid_argument, "reserve: layers over the cache's"};
  if (const Status status = reserve_slots(tokens, stream); !status.ok()) return status;
  const std::int64_t needed = layers * arena_.kv_heads * arena_.pages_for(tokens);
  const auto all_slabs = static_cast<std::size_t>(arena_.slab_count());
  if (slabs_.size() == all_slabs && arena_.is_never_short()) return {};
  if (known_free_ < needed) {
    if (const Status status = launch_kernel(take_back_kernel, 1, append_threads, 0, stream, arena_); !status.ok())
      return status;
    KvPageStock stock{};
    if (const Status status = copy_to_host(&stock, arena_.stock, sizeof(stock), stream); !status.ok()) return status;
    if (const Status status = synchronize(stream); !status.ok()) return status;
    known_free_ = stock.free;
    while (known_free_ < needed && slabs_.size() < all_slabs) {
      if (const Status status = add_slab(stream); !status.ok()) return status;
    }
    if (known_free_ < needed && !arena_.is_never_short()) return {StatusCode::out_of_memory, "the cache's limit"};
  }
  known_free_ = std::max<std::int64_t>(known_free_ - needed, 0);
  return {};
}

Status DeviceKvCache::add_slab(Stream stream) {
  const auto index = static_cast<std::int32_t>(slabs_.size());
  void* slab = nullptr;
  if (const Status status = allocate(arena_.slab_bytes(), &slab); !status.ok()) return status;
  slabs_.push_back(slab);
  known_free_ += std::int64_t{1} << arena_.pages_per_slab_log2;
  return launch_kernel(add_slab_kernel, 1, append_threads, 0, stream, arena_, index, static_cast<std::byte*>(slab));
}

Status DeviceKvCache::append(LayerId layer, ConstView<Role, 2> roles, ConstView<float, 3> keys,
                             ConstView<float, 3> values, Stream stream) {
  if (layer.value < 0 || layer.value >= arena_.layers) return {StatusCode::invalid_argument, "layer: not in the cache"};
  const std::int64_t rows = roles.size(1);
  if (takes_one_by_one() && rows > 1)
    return {StatusCode::invalid_argument, "append: a cache that keeps scores takes tokens one by one"};
  if (roles.size(0) != arena_.kv_heads) return {StatusCode::shape_mismatch, "roles: [kv_heads, n]"};
  if (!launch::has_sizes(keys, {arena_.kv_heads, rows, arena_.head_dim}))
    return {StatusCode::shape_mismatch, "keys: [kv_heads, n, head_dim]"};
  if (!launch::has_sizes(values, {arena_.kv_heads, rows, arena_.head_dim}))
    return {StatusCode::shape_mismatch, "values: [kv_heads, n, head_dim]"};
  if (!launch::is_dense(keys) || !launch::is_dense(values))
    return {StatusCode::shape_mismatch, "head_dim: neighbours in memory"};
  if (rows == 0) return {};
  if (rows > arena_.most_tokens) return {StatusCode::invalid_argument, "append: more tokens than were reserved"};
  const auto heads = static_cast<unsigned>(arena_.kv_heads);
  const Status status =
      launch_kernel(append_kernel, heads, append_threads, 0, stream, arena_, layer.value, roles, keys, values);
  if (!status.ok() || rows <= rows_in_append) return status;
  return launch_kernel(write_kernel, dim3(blocks_for(rows, append_threads / 32), heads), append_threads, 0, stream,
                       arena_, layer.value, keys, values);
}

Status DeviceKvCache::append_token(ConstView<Role, 2> roles, ConstView<float, 3> keys, ConstView<float, 3> values,
                                   Stream stream) {
  const std::int64_t layers = roles.size(0);
  if (layers > arena_.layers) return {StatusCode::invalid_argument, "append: layers over the cache's"};
  if (roles.size(1) != arena_.kv_heads) return {StatusCode::shape_mismatch, "roles: [layers, kv_heads]"};
  if (!launch::has_sizes(keys, {layers, arena_.kv_heads, arena_.head_dim}))
    return {StatusCode::shape_mismatch, "keys: [layers, kv_heads, head_dim]"};
  if (!launch::has_sizes(values, {layers, arena_.kv_heads, arena_.head_dim}))
    return {StatusCode::shape_mismatch, "values: [layers, kv_heads, head_dim]"};
  if (!launch::is_dense(keys) || !launch::is_dense(values))
    return {StatusCode::shape_mismatch, "head_dim: neighbours in memory"};
  if (layers > 0 && arena_.most_tokens < 1)
    return {StatusCode::invalid_argument, "append: more tokens than were reserved"};
  for (std::int64_t first = 0; first < layers; first += arena_.layers_at_once) {
    const std::int64_t here = std::min<std::int64_t>(arena_.layers_at_once, layers - first);
    const dim3 grid(static_cast<unsigned>(arena_.kv_heads), static_cast<unsigned>(here));
    if (const Status status =
            launch_kernel(append_token_kernel, grid, append_threads, 0, stream, arena_, first, roles, keys, values);
        !status.ok()) {
      return status;
    }
  }
  return {};
}

Status DeviceKvCache::keep_by_scores(const TokenDrops& call, Stream stream) {
  if (!keeps_scores()) return {StatusCode::invalid_argument, "keep_by_scores: the cache keeps no scores"};
  const std::int64_t layers = call.dropped.size(0);
  if (call.layer < 0 || call.layer + layers > arena_.layers)
    return {StatusCode::invalid_argument, "keep_by_scores: layers over the cache's"};
  const auto fits = [&](const auto& view) { return launch::has_sizes(view, {layers, arena_.kv_heads}); };
  if (!fits(call.self_scores) || !fits(call.prescribed) || !fits(call.dropped) || !fits(call.held))
    return {StatusCode::shape_mismatch, "keep_by_scores: [layers, kv_heads]"};
  if (layers == 0) return {};
  if (arena_.entry_scores == EntryScores::of_last_query) {
    if (const Status status =
            launch_kernel(share_scores_kernel, static_cast<unsigned>(layers), append_threads, 0, stream, arena_, call);
        !status.ok()) {
      return status;
    }
  }
  const dim3 heads(static_cast<unsigned>(arena_.kv_heads), static_cast<unsigned>(layers));
  return launch_kernel(keep_by_scores_kernel, heads, append_threads, 0, stream, arena_, call);
}

Status DeviceKvCache::drop_entries(const EntryDrops& call, Stream stream) {
  const std::int64_t layers = call.kept.size(0);
  if (call.layer < 0 || call.layer + layers > arena_.layers)
    return {StatusCode::invalid_argument, "drop_entries: layers over the cache's"};
  const auto is_packed = [](const auto& view) {
    return view.strides == std::remove_cvref_t<decltype(view)>::packed(view.data, view.sizes).strides;
  };
  const std::int64_t most = call.from.size(2);
  const bool fit = launch::has_sizes(call.kept, {layers, arena_.kv_heads}) &&
                   launch::has_sizes(call.moves, {layers, arena_.kv_heads}) &&
                   launch::has_sizes(call.from, {layers, arena_.kv_heads, most}) &&
                   launch::has_sizes(call.to, {layers, arena_.kv_heads, most});
  if (!fit || !is_packed(call.kept) || !is_packed(call.moves) || !is_packed(call.from) || !is_packed(call.to))
    return {StatusCode::shape_mismatch, "drop_entries: [layers, kv_heads] and [layers, kv_heads, n], packed"};
  if (layers == 0) return {};
  const dim3 heads(static_cast<unsigned>(arena_.kv_heads), static_cast<unsigned>(layers));
  return launch_kernel(drop_entries_kernel, heads, append_threads, 0, stream, arena_, call);
}

Status DeviceKvCache::read_scores(LayerId layer, View<float, 2> to_host, Stream stream) const {
  if (!keeps_scores()) return {StatusCode::invalid_argument, "read_scores: the cache keeps no scores"};
  if (layer.value < 0 || layer.value >= arena_.layers) return {StatusCode::invalid_argument, "layer: not in the cache"};
  if (to_host.size(0) != arena_.kv_heads || (to_host.size(1) > 1 && to_host.stride(1) != 1))
    return {StatusCode::shape_mismatch, "read_scores: [kv_heads, n], rows dense"};
  if (to_host.size(1) > arena_.most_scored)
    return {StatusCode::invalid_argument, "read_scores: more entries than a head can hold"};
  for (std::int64_t head = 0; head < arena_.kv_heads; ++head) {
    const float* const from = KvHeadPages(arena_, layer.value, head).scores;
    if (const Status status = copy_to_host(&to_host(head, 0), from, to_host.size(1) * 4, stream); !status.ok())
      return status;
  }
  return {};
}

Status DeviceKvCache::finish_step(Stream stream) {
  if (const Status status = launch_kernel(take_back_kernel, 1, append_threads, 0, stream, arena_); !status.ok())
    return status;
  return copy_to_host(mirror_.as<std::byte>(), arena_.heads, mirror_.size_bytes(), stream);
}

const KvHeadState& DeviceKvCache::mirrored(LayerId layer, KvHeadId kv_head) const {
  return mirror_.as<KvHeadState>()[static_cast<std::int64_t>(layer.value) * arena_.kv_heads + kv_head.value];
}

std::int64_t DeviceKvCache::entries(LayerId layer, KvHeadId kv_head) const {
  return mirrored(layer, kv_head).entries();
}

std::array<std::int64_t, role_count> DeviceKvCache::entries_by_role(LayerId layer, KvHeadId kv_head) const {
  const KvHeadState& head = mirrored(layer, kv_head);
  return {head.held[0], head.held[1], head.held[2]};
}

std::int64_t DeviceKvCache::total_entries() const {
  std::int64_t total = 0;
  for (std::int64_t head = 0; head < arena_.head_count(); ++head) total += mirror_.as<KvHeadState>()[head].entries();
  return total;
}

std::int64_t DeviceKvCache::page_bytes() const {
  std::int64_t pages = 0;
  for (std::int64_t head = 0; head < arena_.head_count(); ++head) pages += mirror_.as<KvHeadState>()[head].pages;
  return pages * arena_.page_bytes;
}

TokenPos DeviceKvCache::next_position() const { return TokenPos(mirror_.as<KvHeadState>()->next_position); }

Status DeviceKvCache::failure() const {
  const KvPageStock& stock = *reinterpret_cast<const KvPageStock*>(mirror_.as<KvHeadState>() + arena_.head_count());
  if (stock.failed > 0) return {StatusCode::out_of_memory, "cache page: more was appended than reserved"};
  return {};
}

std::int64_t DeviceKvCache::allocated_bytes() const {
  return static_cast<std::int64_t>(slabs_.size()) * arena_.slab_bytes();
}

Status DeviceKvCache::read_head(LayerId layer, KvHeadId kv_head, HeadEntries& entries, Stream stream) const {
  if (layer.value < 0 || layer.value >= arena_.layers || kv_head.value < 0 || kv_head.value >= arena_.kv_heads)
    return {StatusCode::invalid_argument, "layer, kv_head: not in the cache"};
  entries = {};
  const std::int64_t index = static_cast<std::int64_t>(layer.value) * arena_.kv_heads + kv_head.value;
  KvHeadState state{};
  if (const Status status = copy_to_host(&state, arena_.heads + index, sizeof(state), stream); !status.ok())
    return status;
  if (const Status status = synchronize(stream); !status.ok()) return status;
  std::vector<std::int32_t> table(static_cast<std::size_t>(state.pages));
  if (!table.empty()) {
    if (const Status status = copy_to_host(table.data(), arena_.page_table + index * arena_.head_pages,
                                           4 * static_cast<std::int64_t>(table.size()), stream);
        !status.ok()) {
      return status;
    }
  }
  if (const Status status = synchronize(stream); !status.ok()) return status;

  if (keeps_scores() && state.entries() > 0) {
    entries.scores.resize(static_cast<std::size_t>(state.entries()));
    for (const Status& status : {copy_to_host(entries.scores.data(), arena_.scores + index * arena_.most_scored,
                                              std::int64_t{4} * state.entries(), stream),
                                 synchronize(stream)}) {
      if (!status.ok()) return status;
    }
  }

  std::vector<std::byte> page(static_cast<std::size_t>(arena_.page_bytes));
  const std::int64_t values = arena_.page_entries * arena_.row_bytes();
  for (std::int32_t slot = 0; slot < state.entries(); ++slot) {
    const std::int32_t place = slot % arena_.page_entries;
    if (place == 0) {
      const std::int32_t id = table[static_cast<std::size_t>(slot / arena_.page_entries)];
      const std::int32_t in_slab = id & ((1 << arena_.pages_per_slab_log2) - 1);
      const auto* const from =
          static_cast<const std::byte*>(slabs_[static_cast<std::size_t>(id >> arena_.pages_per_slab_log2)]) +
          in_slab * arena_.page_bytes;
      // What stands there, not what was never written: initcheck reports a copy of that, too.
      const std::int64_t held = std::min(arena_.page_entries, state.entries() - slot);
      const auto fetch = [&](std::int64_t at, std::int64_t size_bytes) {
        return copy_to_host(page.data() + at, from + at, size_bytes, stream);
      };
      for (const Status& status : {fetch(0, held * arena_.row_bytes()), fetch(values, held * arena_.row_bytes()),
                                   fetch(2 * values, 4 * held), synchronize(stream)}) {
        if (!status.ok()) return status;
      }
    }
    const std::byte* const row = page.data() + place * arena_.row_bytes();
    for (std::int64_t d = 0; d < arena_.head_dim; ++d) {
      entries.keys.push_back(stored(row, arena_.dtype, d));
      entries.values.push_back(stored(row + values, arena_.dtype, d));
    }
    std::int32_t position = 0;
    std::memcpy(&position, page.data() + 2 * values + 4 * place, sizeof(position));
    entries.positions.push_back(position);
    const std::int32_t locals = state.held[0];
    entries.roles.push_back(slot < locals ? Role::global : slot < locals + state.held[1] ? Role::local : Role::sliding);
  }
  return {};
}

}  // namespace natscope::kernels::cuda
