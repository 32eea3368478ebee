// SPDX-License-Identifier: GPL-3.0-or-later
// libnatscope_cuda.so: the table of kernels/device_operations.h over the operations of this folder.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_prefill.h"
#include "kernels/cuda/attention_train.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/kv_cache.h"
#include "kernels/cuda/linear.h"
#include "kernels/cuda/role_assignment.h"
#include "kernels/cuda/row_math.h"
#include "kernels/cuda/token_heads.h"
#include "kernels/cuda/token_products.h"
#include "kernels/device_operations.h"

namespace natscope::kernels {

struct OpenedDevice {
  cuda::OwnedStream stream;
  cuda::OwnedStream side;  // of what is put aside
  cuda::StreamMark forked, joined;
  bool aside = false;
  cuda::DeviceMemory scratch;  // of attention
  std::array<cuda::StreamMark, device_mark_count> marks;
  std::uint64_t moves = 0;  // how often memory that recordings may name was freed
  std::unique_ptr<cuda::Graph> recording;
};

struct DeviceRecording {
  std::unique_ptr<cuda::Graph> graph;
  std::uint64_t moves = 0;
};

struct DeviceCache {
  std::unique_ptr<cuda::DeviceKvCache> entries;
};

namespace cuda {
namespace {

Stream stream_of(const OpenedDevice* device) { return device->aside ? device->side.get() : device->stream.get(); }

Status reserve_scratch(OpenedDevice* device, std::int64_t size_bytes) {
  if (size_bytes <= device->scratch.size_bytes()) return {};
  if (device->recording) return {StatusCode::invalid_argument, "a recording of what was never done before"};
  ++device->moves;
  return device->scratch.reserve(size_bytes);
}

Status open_device(OpenedDevice** device, DeviceDescription* description) {
  DeviceInfo info;
  if (const Status status = device_info(info); !status.ok()) return status;
  std::unique_ptr<OpenedDevice> opened(new (std::nothrow) OpenedDevice());
  if (!opened) return {StatusCode::out_of_memory, "the host has no memory left"};
  if (const Status status = opened->stream.create(); !status.ok()) return status;
  for (const Status& status : {opened->side.create(), opened->forked.create(), opened->joined.create()}) {
    if (!status.ok()) return status;
  }
  for (StreamMark& mark : opened->marks) {
    if (const Status status = mark.create(); !status.ok()) return status;
  }
  static_assert(sizeof(info.name) == sizeof(description->name));
  std::memcpy(description->name, info.name, sizeof(info.name));
  description->memory_bytes = info.memory_bytes;
  description->free_bytes = info.free_bytes;
  *device = opened.release();
  return {};
}

void close_device(OpenedDevice* device) { delete device; }

Status allocate(OpenedDevice*, std::int64_t size_bytes, void** memory) {
  DeviceMemory allocated;
  if (const Status status = allocated.allocate(size_bytes); !status.ok()) return status;
  *memory = allocated.take();
  return {};
}

void free_memory(OpenedDevice*, void* memory) { DeviceMemory::adopt(memory).release(); }

Status upload(OpenedDevice* device, void* to, const void* from_host, std::int64_t size_bytes) {
  return copy_to_device(to, from_host, size_bytes, stream_of(device));
}
Status download(OpenedDevice* device, void* to_host, const void* from, std::int64_t size_bytes) {
  return copy_to_host(to_host, from, size_bytes, stream_of(device));
}
Status allocate_pinned(OpenedDevice*, std::int64_t size_bytes, void** memory) {
  PinnedMemory allocated;
  if (const Status status = allocated.allocate(size_bytes); !status.ok()) return status;
  *memory = allocated.take();
  return {};
}
void free_pinned(OpenedDevice* device, void* memory) {
  static_cast<void>(synchronize(stream_of(device)));  // a copy may still be writing there; its error comes again
  PinnedMemory::adopt(memory).release();
}

Status wait(OpenedDevice* device) { return synchronize(stream_of(device)); }

constexpr Status no_such_mark{StatusCode::invalid_argument, "no such mark"};
bool is_mark(std::int32_t mark) { return mark >= 0 && mark < device_mark_count; }
StreamMark& mark_of(OpenedDevice* device, std::int32_t mark) { return device->marks[static_cast<std::size_t>(mark)]; }
Status set_mark(OpenedDevice* device, std::int32_t mark) {
  return is_mark(mark) ? mark_of(device, mark).set(stream_of(device)) : no_such_mark;
}
Status wait_mark(OpenedDevice* device, std::int32_t mark) {
  return is_mark(mark) ? mark_of(device, mark).wait() : no_such_mark;
}

constexpr Status no_such_side{StatusCode::invalid_argument, "work aside: begun, then ended, then joined"};
Status begin_aside(OpenedDevice* device) {
  if (device->aside) return no_such_side;
  if (const Status status = device->forked.set(device->stream.get()); !status.ok()) return status;
  const Status status = device->forked.hold(device->side.get());
  device->aside = status.ok();
  return status;
}
Status end_aside(OpenedDevice* device) {
  if (!device->aside) return no_such_side;
  device->aside = false;
  return device->joined.set(device->side.get());
}
Status join_aside(OpenedDevice* device) {
  return device->aside ? no_such_side : device->joined.hold(device->stream.get());
}
void* stream(OpenedDevice* device) { return stream_of(device); }

Status norm_rows(OpenedDevice* device, const float* x, const float* weight, std::int64_t rows, std::int64_t cols,
                 float eps, bool round, float* out) {
  return rms_norm(x, weight, rows, cols, eps, round, out, stream_of(device));
}
Status turn(OpenedDevice* device, float* x, const float* norm, const float* cosine, const float* sine,
            std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t rotated, float eps, bool round) {
  return turn_heads(x, norm, cosine, sine, rows, heads, head_dim, rotated, eps, round, stream_of(device));
}
Status gate_rows(OpenedDevice* device, float* gate, const float* up, std::int64_t size, bool round) {
  return swiglu(gate, up, size, round, stream_of(device));
}
Status round_rows(OpenedDevice* device, float* x, std::int64_t size) {
  return round_to_bf16(x, size, stream_of(device));
}
Status multiply(OpenedDevice* device, const float* x, std::int64_t rows, const LinearRow* product, bool add) {
  return linear(x, rows, *product, add, stream_of(device));
}

Status multiply_token(OpenedDevice* device, const TokenProducts* call) {
  return token_products(*call, stream_of(device));
}
Status prepare_heads(OpenedDevice* device, const TokenHeads* call) { return token_heads(*call, stream_of(device)); }

Status assign_roles(OpenedDevice* device, const Role* prescribed, const float* scores, std::int64_t kv_heads,
                    std::int64_t n, float global_bias, Role* roles) {
  return assign_prescribed_roles(ConstView<Role, 2>::packed(prescribed, {kv_heads, n}),
                                 ConstView<float, 2>::packed(scores, {n, role_count * kv_heads}), global_bias,
                                 View<Role, 2>::packed(roles, {kv_heads, n}), stream_of(device));
}

Status create_cache(OpenedDevice*, const KvCacheShape* shape, std::int64_t max_tokens, DeviceCache** cache) {
  std::unique_ptr<DeviceCache> made(new (std::nothrow) DeviceCache());
  if (!made) return {StatusCode::out_of_memory, "the host has no memory left"};
  if (const Status status = attention_prefill_fits(shape->head_dim, shape->dtype); !status.ok()) return status;
  if (const Status status = DeviceKvCache::create(*shape, max_tokens, nullptr, made->entries); !status.ok())
    return status;
  *cache = made.release();
  return {};
}
void free_cache(OpenedDevice* device, DeviceCache* cache) {
  ++device->moves;
  delete cache;
}
Status reset_cache(OpenedDevice* device, DeviceCache* cache, std::int64_t window, const ScoreRule* rule) {
  ++device->moves;
  return cache->entries->reset(window, rule, stream_of(device));
}
Status reserve_cache(OpenedDevice* device, DeviceCache* cache, std::int64_t tokens, std::int64_t layers) {
  const std::int32_t* const slots = cache->entries->arena().slots;
  const Status status = cache->entries->reserve(tokens, layers, stream_of(device));
  if (cache->entries->arena().slots != slots) ++device->moves;
  return status;
}
Status append(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t,
              const ConstView<Role, 2>* roles, const ConstView<float, 3>* keys, const ConstView<float, 3>* values) {
  return cache->entries->append(LayerId(layer), *roles, *keys, *values, stream_of(device));
}
Status append_token(OpenedDevice* device, DeviceCache* cache, const ConstView<Role, 2>* roles,
                    const ConstView<float, 3>* keys, const ConstView<float, 3>* values) {
  return cache->entries->append_token(*roles, *keys, *values, stream_of(device));
}
Status keep_by_scores(OpenedDevice* device, DeviceCache* cache, const TokenDrops* call) {
  return cache->entries->keep_by_scores(*call, stream_of(device));
}
Status drop_entries(OpenedDevice* device, DeviceCache* cache, const EntryDrops* call) {
  return cache->entries->drop_entries(*call, stream_of(device));
}
Status read_scores(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, const View<float, 2>* to_host) {
  return cache->entries->read_scores(LayerId(layer), *to_host, stream_of(device));
}
Status end_appends(OpenedDevice* device, DeviceCache* cache) { return cache->entries->finish_step(stream_of(device)); }
Status cache_counts(OpenedDevice*, DeviceCache* cache, DeviceCacheCounts* counts) {
  const DeviceKvCache& entries = *cache->entries;
  if (const Status status = entries.failure(); !status.ok()) return status;
  *counts = {entries.total_entries(), entries.allocated_bytes()};
  return {};
}

template <class T>
View<T, 2> only_token(const View<T, 3>& rows) {
  return {rows.data, {rows.size(0), rows.size(2)}, {rows.stride(0), rows.stride(2)}};
}

/// Whether [heads, n, head_dim] is one piece of memory, in whatever order of heads and tokens.
bool is_without_gaps(const View<float, 3>& out) {
  const std::int64_t last =
      (out.size(0) - 1) * out.stride(0) + (out.size(1) - 1) * out.stride(1) + (out.size(2) - 1) * out.stride(2);
  return last + 1 == out.size(0) * out.size(1) * out.size(2);
}

Status attention(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t first,
                 const ConstView<float, 3>* queries, const ConstView<float, 3>* keys, const ConstView<float, 3>* values,
                 const ConstView<Role, 2>* roles, bool round, const View<float, 3>* out, const View<float, 2>* lse,
                 float* self_scores) {
  const DeviceKvCache& entries = *cache->entries;
  const std::int64_t heads = queries->size(0);
  const std::int64_t chunk = queries->size(1);
  if (self_scores != nullptr && chunk > 1) return {StatusCode::invalid_argument, "attention: with scores, one token"};
  const std::int64_t scratch_bytes = chunk == 1 ? attention_decode_scratch_bytes(heads, entries)
                                                : attention_prefill_scratch_bytes(heads, chunk, entries);
  if (const Status status = reserve_scratch(device, scratch_bytes); !status.ok()) return status;
  const DeviceMemory& scratch = device->scratch;
  if (chunk > 1) {
    const std::int64_t size = heads * chunk * out->size(2);
    if (round && !is_without_gaps(*out)) return {StatusCode::shape_mismatch, "out: rounded, so without gaps"};
    const Status status = attention_prefill(*queries, *keys, *values, *roles, entries, LayerId(layer), TokenPos(first),
                                            *out, *lse, scratch.data(), scratch.size_bytes(), stream_of(device));
    return status.ok() && round ? round_to_bf16(out->data, size, stream_of(device)) : status;
  }
  return attention_decode(only_token(*queries), only_token(*keys), only_token(*values), entries, LayerId(layer),
                          only_token(*out), {lse->data, static_cast<std::size_t>(heads)},
                          {self_scores, self_scores == nullptr ? 0 : static_cast<std::size_t>(keys->size(0))},
                          scratch.data(), scratch.size_bytes(), stream_of(device), round);
}

Status train_fits(OpenedDevice*, std::int64_t head_dim, ElementType dtype) {
  return attention_train_fits(head_dim, dtype);
}
Status train_forward(OpenedDevice* device, const AttentionTrainInputs* inputs, const View<float, 4>* out,
                     const View<float, 3>* lse) {
  if (const Status status = reserve_scratch(device, attention_train_scratch_bytes(*inputs, false)); !status.ok())
    return status;
  const DeviceMemory& scratch = device->scratch;
  return attention_train_forward(*inputs, *out, *lse, scratch.data(), scratch.size_bytes(), stream_of(device));
}
Status train_backward(OpenedDevice* device, const AttentionTrainInputs* inputs, const ConstView<float, 4>* out,
                      const ConstView<float, 3>* lse, const ConstView<float, 4>* d_out, double sparse_regularized_value,
                      const View<float, 4>* dq, const View<float, 4>* dk, const View<float, 4>* dv,
                      const View<float, 4>* d_roles) {
  if (const Status status = reserve_scratch(device, attention_train_scratch_bytes(*inputs, true)); !status.ok())
    return status;
  const DeviceMemory& scratch = device->scratch;
  return attention_train_backward(*inputs, *out, *lse, *d_out, sparse_regularized_value, *dq, *dk, *dv, *d_roles,
                                  scratch.data(), scratch.size_bytes(), stream_of(device));
}

Status begin_recording(OpenedDevice* device) {
  if (device->recording) return {StatusCode::invalid_argument, "a recording in a recording"};
  std::unique_ptr<Graph> graph(new (std::nothrow) Graph());
  if (!graph) return {StatusCode::out_of_memory, "the host has no memory left"};
  const Status status = graph->begin(device->stream.get());
  if (status.ok()) device->recording = std::move(graph);
  return status;
}
Status end_recording(OpenedDevice* device, DeviceRecording** recording) {
  if (!device->recording) return {StatusCode::invalid_argument, "no recording to end"};
  std::unique_ptr<Graph> graph = std::move(device->recording);
  if (const Status status = graph->end(device->stream.get()); !status.ok()) return status;
  auto* const kept = new (std::nothrow) DeviceRecording{std::move(graph), device->moves};
  *recording = kept;
  return kept != nullptr ? Status{} : Status{StatusCode::out_of_memory, "the host has no memory left"};
}
void free_recording(OpenedDevice* device, DeviceRecording* recording) {
  static_cast<void>(wait(device));  // its error comes again
  delete recording;
}
bool is_current(OpenedDevice* device, const DeviceRecording* recording) { return recording->moves == device->moves; }
Status replay(OpenedDevice* device, DeviceRecording* recording) {
  if (!is_current(device, recording)) return {StatusCode::invalid_argument, "a recording of memory that is gone"};
  return recording->graph->launch(stream_of(device));
}

constexpr DeviceOperations table{
    .abi_version = device_abi_version,
    .size_bytes = sizeof(DeviceOperations),
    .open = open_device,
    .close = close_device,
    .allocate = allocate,
    .free = free_memory,
    .upload = upload,
    .download = download,
    .allocate_pinned = allocate_pinned,
    .free_pinned = free_pinned,
    .wait = wait,
    .set_mark = set_mark,
    .wait_mark = wait_mark,
    .begin_aside = begin_aside,
    .end_aside = end_aside,
    .join_aside = join_aside,
    .stream = stream,
    .rms_norm = norm_rows,
    .turn_heads = turn,
    .swiglu = gate_rows,
    .round_to_bf16 = round_rows,
    .linear = multiply,
    .token_products = multiply_token,
    .token_heads = prepare_heads,
    .assign_roles = assign_roles,
    .create_cache = create_cache,
    .free_cache = free_cache,
    .reset_cache = reset_cache,
    .reserve_cache = reserve_cache,
    .append = append,
    .append_token = append_token,
    .keep_by_scores = keep_by_scores,
    .drop_entries = drop_entries,
    .read_scores = read_scores,
    .end_appends = end_appends,
    .cache_counts = cache_counts,
    .attention = attention,
    .begin_recording = begin_recording,
    .end_recording = end_recording,
    .free_recording = free_recording,
    .is_current = is_current,
    .replay = replay,
    .attention_train_fits = train_fits,
    .attention_train_forward = train_forward,
    .attention_train_backward = train_backward,
};

}  // namespace
}  // namespace cuda
}  // namespace natscope::kernels

extern "C" __attribute__((visibility("default"))) const natscope::kernels::DeviceOperations*
natscope_device_operations();
const natscope::kernels::DeviceOperations* natscope_device_operations() { return &natscope::kernels::cuda::table; }
