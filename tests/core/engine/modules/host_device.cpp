// SPDX-License-Identifier: GPL-3.0-or-later
// A device that is none: the table of a GPU's module over ordinary memory and the CPU's kernels. It keeps its own cache,
// poisons what it allocates, and refuses what a device could not do: pointers that it did not hand out, appends that were
// not reserved, results that were read before a wait, waits in a recording.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/engine/row_math.h"
#include "kernels/attention_decode.h"
#include "kernels/attention_prefill.h"
#include "kernels/attention_train.h"
#include "kernels/device_operations.h"
#include "tests/core/engine/modules/host_recording.h"

namespace natscope {
namespace {

using kernels::Backend;
using kernels::ConstView;
using kernels::KvCache;
using kernels::LinearRow;
using kernels::Status;
using kernels::StatusCode;
using kernels::View;

struct Download {
  void* to;
  std::vector<char> bytes;
};

struct HostDevice {
  std::map<const char*, std::int64_t> memory;  // start → bytes
  std::int64_t used_bytes = 0;
  std::int64_t limit_bytes = std::numeric_limits<std::int64_t>::max();
  std::map<const char*, std::int64_t> pinned;
  std::deque<Download> pending;                                  // host memory is written when a wait has passed them
  std::int64_t delivered = 0;                                    // downloads before the first one that is pending
  std::array<std::int64_t, kernels::device_mark_count> marks{};  // downloads issued before the mark
  std::int64_t moves = 0;
  std::unique_ptr<test::HostRecording> recording;
};

struct HostCache {
  std::unique_ptr<KvCache> cache;
  std::vector<std::int32_t> next;  // position of the next token of each layer
  std::int64_t promised = 0;       // appended tokens · layers that reserve_cache allows
  std::optional<kernels::HeavyHitters> rule;
  std::vector<bool> attended, appended;  // with a rule: what each layer has had of its token
};

HostDevice& of(void* device) { return *static_cast<HostDevice*>(device); }
KvCache& kept(void* cache) { return *static_cast<HostCache*>(cache)->cache; }

test::HostRecording* recording_of(void* device) { return of(device).recording.get(); }

constexpr Status ok{};
constexpr Status foreign{StatusCode::invalid_argument, "memory that is not the device's"};

bool holds(const std::map<const char*, std::int64_t>& memory, const void* data, std::int64_t size_bytes) {
  const char* const at = static_cast<const char*>(data);
  auto piece = memory.upper_bound(at);
  if (piece == memory.begin()) return false;
  --piece;
  return at + size_bytes <= piece->first + piece->second;
}
bool owns(void* device, const void* data, std::int64_t size_bytes) {
  return holds(of(device).memory, data, size_bytes);
}
bool owns(void* device, const float* data, std::int64_t size) {
  return owns(device, static_cast<const void*>(data), size * std::int64_t{sizeof(float)});
}
template <class T, std::size_t Rank>
std::int64_t extent_bytes(const std::array<std::int64_t, Rank>& sizes, const std::array<std::int64_t, Rank>& strides) {
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < Rank; ++axis) last += (sizes[axis] - 1) * strides[axis];
  return (last + 1) * std::int64_t{sizeof(T)};
}
template <class T, int Rank>
bool owns(void* device, const View<T, Rank>& view) {
  return owns(device, static_cast<const void*>(view.data), extent_bytes<T>(view.sizes, view.strides));
}

Status open(void** device, kernels::DeviceDescription* description) {
  auto opened = std::make_unique<HostDevice>();
  if (const char* limit = std::getenv("NATSCOPE_TEST_DEVICE_BYTES")) opened->limit_bytes = std::atoll(limit);
  if (std::getenv("NATSCOPE_TEST_NO_DEVICE") != nullptr)
    return {StatusCode::backend_unavailable, "no such device here"};
  std::strcpy(description->name, "host");
  description->memory_bytes = description->free_bytes = opened->limit_bytes;
  *device = opened.release();
  return ok;
}
void close(void* device) {
  if (!of(device).memory.empty() || !of(device).pinned.empty()) std::abort();  // a leak
  delete static_cast<HostDevice*>(device);
}
Status allocate(void* device, std::int64_t size_bytes, void** memory) {
  HostDevice& host = of(device);
  if (size_bytes < 1) return {StatusCode::invalid_argument, "a size below 1"};
  if (host.used_bytes + size_bytes > host.limit_bytes) return {StatusCode::out_of_memory, "device memory"};
  char* const data =
      static_cast<char*>(std::aligned_alloc(256, static_cast<std::size_t>((size_bytes + 255) / 256 * 256)));
  std::memset(data, 0xff, static_cast<std::size_t>(size_bytes));  // NaN, in f32 and in bf16
  host.memory.emplace(data, size_bytes);
  host.used_bytes += size_bytes;
  *memory = data;
  return ok;
}
void free(void* device, void* memory) {
  HostDevice& host = of(device);
  const auto piece = host.memory.find(static_cast<const char*>(memory));
  if (piece == host.memory.end()) std::abort();
  host.used_bytes -= piece->second;
  host.memory.erase(piece);
  std::free(memory);
}
Status upload(void* device, void* to, const void* from_host, std::int64_t size_bytes) {
  if (size_bytes < 1 || !owns(device, to, size_bytes) || owns(device, from_host, size_bytes)) return foreign;
  std::memcpy(to, from_host, static_cast<std::size_t>(size_bytes));
  return ok;
}
Status download(void* device, void* to_host, const void* from, std::int64_t size_bytes) {
  if (size_bytes < 1 || !owns(device, from, size_bytes) || owns(device, to_host, size_bytes)) return foreign;
  const char* const bytes = static_cast<const char*>(from);
  of(device).pending.push_back({to_host, std::vector<char>(bytes, bytes + size_bytes)});
  std::memset(to_host, 0xff, static_cast<std::size_t>(size_bytes));
  return ok;
}
/// A recording's copies are of memory that stays.
template <Status (*copy)(void*, void*, const void*, std::int64_t), int host>
Status copy_pinned(void* device, void* to, const void* from, std::int64_t size_bytes) {
  if (recording_of(device) != nullptr && !holds(of(device).pinned, host == 0 ? to : from, size_bytes)) return foreign;
  return test::Recordable<copy, recording_of>::call(device, to, from, size_bytes);
}
void deliver(HostDevice& host, std::int64_t until) {
  for (; host.delivered < until; ++host.delivered) {
    const Download& download = host.pending.front();
    std::memcpy(download.to, download.bytes.data(), download.bytes.size());
    host.pending.pop_front();
  }
}
std::int64_t issued(const HostDevice& host) { return host.delivered + static_cast<std::int64_t>(host.pending.size()); }

std::int64_t waits = 0;
Status wait(void* device) {
  ++waits;
  deliver(of(device), issued(of(device)));
  return ok;
}
Status set_mark(void* device, std::int32_t mark) {
  if (mark < 0 || mark >= kernels::device_mark_count) return {StatusCode::invalid_argument, "no such mark"};
  of(device).marks[static_cast<std::size_t>(mark)] = issued(of(device));
  return ok;
}
Status wait_mark(void* device, std::int32_t mark) {
  if (mark < 0 || mark >= kernels::device_mark_count) return {StatusCode::invalid_argument, "no such mark"};
  deliver(of(device), of(device).marks[static_cast<std::size_t>(mark)]);
  return ok;
}
/// With the variable set: not null, as if the memory were a GPU's. Nobody may use it.
void* stream(void* device) { return std::getenv("NATSCOPE_TEST_DEVICE_STREAM") != nullptr ? device : nullptr; }
Status allocate_pinned(void* device, std::int64_t size_bytes, void** memory) {
  if (size_bytes < 1) return {StatusCode::invalid_argument, "a size below 1"};
  *memory = std::malloc(static_cast<std::size_t>(size_bytes));
  of(device).pinned.emplace(static_cast<const char*>(*memory), size_bytes);
  return ok;
}
void free_pinned(void* device, void* memory) {
  deliver(of(device), issued(of(device)));
  if (of(device).pinned.erase(static_cast<const char*>(memory)) != 1) std::abort();
  std::free(memory);
}

Status rms_norm(void* device, const float* x, const float* weight, std::int64_t rows, std::int64_t cols, float eps,
                bool round, float* out) {
  if (!owns(device, x, rows * cols) || !owns(device, weight, cols) || !owns(device, out, rows * cols)) return foreign;
  for (std::int64_t row = 0; row < rows; ++row) row_math::rms_norm(x + row * cols, weight, cols, eps, out + row * cols);
  if (round) row_math::round_to_bf16(out, rows * cols);
  return ok;
}
Status turn_heads(void* device, float* x, const float* norm, const float* cosine, const float* sine, std::int64_t rows,
                  std::int64_t heads, std::int64_t head_dim, float eps, bool round) {
  const std::int64_t half = head_dim / 2;
  if (!owns(device, x, rows * heads * head_dim) || (norm != nullptr && !owns(device, norm, head_dim)) ||
      !owns(device, cosine, rows * half) || !owns(device, sine, rows * half)) {
    return foreign;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t head = 0; head < heads; ++head) {
      float* const at = x + (row * heads + head) * head_dim;
      if (norm != nullptr) row_math::rms_norm(at, norm, head_dim, eps, at);
      row_math::rotate(at, cosine + row * half, sine + row * half, head_dim);
    }
  }
  if (round) row_math::round_to_bf16(x, rows * heads * head_dim);
  return ok;
}
Status swiglu(void* device, float* gate, const float* up, std::int64_t size, bool round) {
  if (!owns(device, gate, size) || !owns(device, up, size)) return foreign;
  row_math::swiglu(gate, up, size, gate);
  if (round) row_math::round_to_bf16(gate, size);
  return ok;
}
Status round_to_bf16(void* device, float* x, std::int64_t size) {
  if (!owns(device, x, size)) return foreign;
  row_math::round_to_bf16(x, size);
  return ok;
}
Status linear(void* device, const float* x, std::int64_t rows, const LinearRow* product, bool add) {
  const LinearRow& p = *product;
  if (!owns(device, x, rows * p.in_size) ||
      !owns(device, p.weight, p.out_size * p.in_size * kernels::element_bytes(p.dtype)) ||
      (p.bias != nullptr && !owns(device, p.bias, p.out_size)) || !owns(device, p.out, rows * p.out_size)) {
    return foreign;
  }
  std::vector<float> result(static_cast<std::size_t>(p.out_size));
  for (std::int64_t row = 0; row < rows; ++row) {
    LinearRow one = p;
    one.out = result.data();
    if (const Status status =
            kernels::linear_row(Backend::cpu, {x + row * p.in_size, static_cast<std::size_t>(p.in_size)}, {&one, 1});
        !status.ok())
      return status;
    for (std::int64_t i = 0; i < p.out_size; ++i) {
      float& out = p.out[row * p.out_size + i];
      out = (add ? out : 0) + result[static_cast<std::size_t>(i)];
    }
  }
  return ok;
}

Status assign_roles(void* device, const Role* prescribed, const float* scores, std::int64_t kv_heads, std::int64_t n,
                    float global_bias, Role* roles) {
  if (!owns(device, static_cast<const void*>(prescribed), kv_heads * n) ||
      !owns(device, static_cast<const void*>(roles), kv_heads * n) ||
      (scores != nullptr && !owns(device, scores, n * kv_heads * role_count))) {
    return foreign;
  }
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    for (std::int64_t row = 0; row < n; ++row) {
      const std::int64_t at = head * n + row;
      if (scores == nullptr && prescribed[at] == by_scores) return {StatusCode::invalid_argument, "no scores"};
      const float* const of_token = scores != nullptr ? scores + (row * kv_heads + head) * role_count : nullptr;
      roles[at] = role_of(prescribed[at], of_token, global_bias);
    }
  }
  return ok;
}

Status token_products(void* device, const kernels::TokenProducts* call) {
  using Into = kernels::TokenProducts::Into;
  const std::int64_t in_size = call->products[0].in_size;
  if (call->count < 1 || call->count > kernels::TokenProducts::most || !owns(device, call->x, in_size)) return foreign;
  std::vector<float> normed(call->x, call->x + in_size);
  if (call->norm != nullptr) {
    if (!owns(device, call->norm, in_size)) return foreign;
    row_math::rms_norm(call->x, call->norm, in_size, call->eps, normed.data());
    if (call->round) row_math::round_to_bf16(normed.data(), in_size);
  }
  std::vector<float> results[kernels::TokenProducts::most];
  for (std::int32_t index = 0; index < call->count; ++index) {
    LinearRow product = call->products[index];
    if (product.in_size != in_size || !owns(device, product.out, product.out_size)) return foreign;
    if (!owns(device, product.weight, product.out_size * in_size * kernels::element_bytes(product.dtype)) ||
        (product.bias != nullptr && !owns(device, product.bias, product.out_size)))
      return foreign;
    results[index].resize(static_cast<std::size_t>(product.out_size));
    product.out = results[index].data();
    if (const Status status = kernels::linear_row(Backend::cpu, normed, {&product, 1}); !status.ok()) return status;
  }
  if (call->into == Into::gate) {
    if (call->count != 2 || call->products[0].dtype != call->products[1].dtype)
      return {StatusCode::unsupported_dtype, "gate"};
    const std::int64_t size = call->products[0].out_size;
    row_math::swiglu(results[0].data(), results[1].data(), size, call->products[0].out);
    if (call->round) row_math::round_to_bf16(call->products[0].out, size);
    return ok;
  }
  for (std::int32_t index = 0; index < call->count; ++index) {
    float* const out = call->products[index].out;
    for (std::size_t i = 0; i < results[index].size(); ++i)
      out[i] = (call->into == Into::sum ? out[i] : 0) + results[index][i];
  }
  return ok;
}

Status token_heads(void* device, const kernels::TokenHeads* call) {
  if (!owns(device, call->values, std::int64_t{call->kv_heads} * call->head_dim)) return foreign;
  const auto turn = [&](float* rows, const float* norm, std::int32_t heads) {
    return turn_heads(device, rows, norm, call->cosine, call->sine, 1, heads, call->head_dim, call->eps, call->round);
  };
  if (const Status status = turn(call->queries, call->q_norm, call->heads); !status.ok()) return status;
  if (const Status status = turn(call->keys, call->k_norm, call->kv_heads); !status.ok()) return status;
  if (call->round) row_math::round_to_bf16(call->values, std::int64_t{call->kv_heads} * call->head_dim);
  return assign_roles(device, call->prescribed, call->scores, call->kv_heads, 1, call->global_bias, call->roles);
}

Status create_cache(void*, const kernels::KvCacheShape* shape, std::int64_t, void** cache) {
  auto made = std::make_unique<HostCache>();
  made->next.resize(static_cast<std::size_t>(shape->layers));
  made->attended.resize(made->next.size());
  made->appended.resize(made->next.size());
  if (const Status status = KvCache::create(*shape, made->cache); !status.ok()) return status;
  *cache = made.release();
  return ok;
}
void free_cache(void*, void* cache) { delete static_cast<HostCache*>(cache); }
Status reset_cache(void* device, void* cache, std::int64_t window, const kernels::HeavyHitters* heavy_hitters) {
  ++of(device).moves;
  HostCache& host = *static_cast<HostCache*>(cache);
  std::fill(host.next.begin(), host.next.end(), 0);
  std::fill(host.attended.begin(), host.attended.end(), false);
  std::fill(host.appended.begin(), host.appended.end(), false);
  host.rule.reset();
  if (heavy_hitters != nullptr) host.rule = *heavy_hitters;
  kept(cache).reset(window, heavy_hitters != nullptr);
  return ok;
}
Status reserve_cache(void*, void* cache, std::int64_t tokens, std::int64_t layers) {
  static_cast<HostCache*>(cache)->promised = tokens * layers;
  return ok;
}
Status append(void* device, void* cache, std::int32_t layer, std::int32_t first, const ConstView<Role, 2>* roles,
              const ConstView<float, 3>* keys, const ConstView<float, 3>* values) {
  if (!owns(device, *roles) || !owns(device, *keys) || !owns(device, *values)) return foreign;
  const std::int64_t n = roles->size(1);
  HostCache& host = *static_cast<HostCache*>(cache);
  const auto place = static_cast<std::size_t>(layer);
  if (host.rule && (n != 1 || !host.attended[place] || host.appended[place]))
    return {StatusCode::invalid_argument, "an append out of its turn"};
  host.appended[place] = true;
  std::int64_t& promised = host.promised;
  if (promised < n) return {StatusCode::invalid_argument, "an append that was not reserved"};
  promised -= n;
  for (std::int32_t head = 0; head < roles->size(0); ++head) {
    const auto part = [&](const ConstView<float, 3>& rows) {
      return ConstView<float, 2>{&rows(head, 0, 0), {n, rows.size(2)}, {rows.stride(1), 1}};
    };
    const Status status =
        kept(cache).append(LayerId(layer), KvHeadId(head), TokenPos(first),
                           {&(*roles)(head, 0), static_cast<std::size_t>(n)}, part(*keys), part(*values));
    if (!status.ok()) return status;
  }
  host.next[place] = first + static_cast<std::int32_t>(n);
  return ok;
}
Status append_token(void* device, void* cache, const ConstView<Role, 2>* roles, const ConstView<float, 3>* keys,
                    const ConstView<float, 3>* values) {
  for (std::int32_t layer = 0; layer < roles->size(0); ++layer) {
    const auto of_layer = [&](const ConstView<float, 3>& rows) {
      return ConstView<float, 3>{
          &rows(layer, 0, 0), {rows.size(1), 1, rows.size(2)}, {rows.stride(1), rows.size(2), 1}};
    };
    const ConstView<Role, 2> role{&(*roles)(layer, 0), {roles->size(1), 1}, {roles->stride(1), 1}};
    const ConstView<float, 3> key = of_layer(*keys);
    const ConstView<float, 3> value = of_layer(*values);
    const std::int32_t first = static_cast<HostCache*>(cache)->next[static_cast<std::size_t>(layer)];
    if (const Status status = append(device, cache, layer, first, &role, &key, &value); !status.ok()) return status;
  }
  return ok;
}
bool holds(const KvCache& cache, LayerId layer, KvHeadId head, std::int32_t position) {
  for (std::int64_t index = 0; index < cache.page_count(layer, head); ++index) {
    const kernels::KvPage page = cache.page(layer, head, index);
    if (std::find(page.positions, page.positions + page.count, position) != page.positions + page.count) return true;
  }
  return false;
}
Status keep_heavy_hitters(void* device, void* cache, const kernels::TokenDrops* call) {
  if (!owns(device, call->self_scores) || !owns(device, call->prescribed) || !owns(device, call->dropped) ||
      !owns(device, call->held)) {
    return foreign;
  }
  HostCache& host = *static_cast<HostCache*>(cache);
  if (!host.rule) return {StatusCode::invalid_argument, "no scores are kept"};
  for (std::int32_t of_call = 0; of_call < call->dropped.size(0); ++of_call) {
    const LayerId layer(call->layer + of_call);
    const auto place = static_cast<std::size_t>(layer.value);
    if (!host.appended[place]) return {StatusCode::invalid_argument, "drops out of their turn"};
    host.attended[place] = host.appended[place] = false;
    const TokenPos now(host.next[place] - 1);
    for (std::int32_t index = 0; index < call->dropped.size(1); ++index) {
      const KvHeadId head(index);
      const auto set = [&](std::int32_t position, float score) {
        if (holds(kept(cache), layer, head, position))
          static_cast<void>(kept(cache).set_score(layer, head, TokenPos(position), score));
      };
      set(now.value, call->self_scores(of_call, index));
      set(call->prescribed(of_call, index), -1);
      std::vector<TokenPos> dropped;
      const Status status =
          kept(cache).keep_heavy_hitters(layer, head, now, host.rule->heavy, host.rule->recent, &dropped);
      if (!status.ok()) return status;
      if (dropped.size() > 1) return {StatusCode::invalid_argument, "more than one entry went"};
      call->dropped(of_call, index) = dropped.empty() ? kernels::no_drop : dropped[0].value;
      call->held(of_call, index) = static_cast<std::int32_t>(kept(cache).entries(layer, head));
    }
  }
  return ok;
}
Status end_appends(void*, void*) { return ok; }
Status cache_counts(void*, void* cache, kernels::DeviceCacheCounts* counts) {
  *counts = {kept(cache).total_entries(), kept(cache).allocated_bytes()};
  return ok;
}
template <class T>
View<T, 2> only_token(const View<T, 3>& rows) {
  return {rows.data, {rows.size(0), rows.size(2)}, {rows.stride(0), rows.stride(2)}};
}
Status attention(void* device, void* cache, std::int32_t layer, std::int32_t first, const ConstView<float, 3>* queries,
                 const ConstView<float, 3>* keys, const ConstView<float, 3>* values, const ConstView<Role, 2>* roles,
                 bool round, const View<float, 3>* out, const View<float, 2>* lse, float* self_scores) {
  if (!owns(device, *queries) || !owns(device, *keys) || !owns(device, *values) || !owns(device, *roles) ||
      !owns(device, *out) || !owns(device, *lse)) {
    return foreign;
  }
  HostCache& host = *static_cast<HostCache*>(cache);
  const std::int64_t kv_heads = keys->size(0);
  if ((self_scores != nullptr) != host.rule.has_value() || (host.rule && queries->size(1) != 1) ||
      (self_scores != nullptr && !owns(device, self_scores, kv_heads))) {
    return {StatusCode::invalid_argument, "scores where none are kept, or none where they are"};
  }
  if (host.rule && host.attended[static_cast<std::size_t>(layer)])
    return {StatusCode::invalid_argument, "attention out of its turn"};
  host.attended[static_cast<std::size_t>(layer)] = true;
  const Status status =
      queries->size(1) == 1
          ? kernels::attention_decode(Backend::cpu, only_token(*queries), only_token(*keys), only_token(*values),
                                      kept(cache), LayerId(layer), only_token(*out),
                                      {lse->data, static_cast<std::size_t>(lse->size(0))},
                                      {self_scores, self_scores == nullptr ? 0 : static_cast<std::size_t>(kv_heads)})
          : kernels::attention_prefill(Backend::cpu, *queries, *keys, *values, *roles, kept(cache), LayerId(layer),
                                       TokenPos(first), *out, *lse);
  if (status.ok() && round) row_math::round_to_bf16(out->data, out->size(0) * out->size(1) * out->size(2));
  return status;
}
bool owns(void* device, const kernels::AttentionTrainInputs& inputs) {
  return owns(device, inputs.q) && owns(device, inputs.k) && owns(device, inputs.v) && owns(device, inputs.roles);
}
Status train_forward(void* device, const kernels::AttentionTrainInputs* inputs, const View<float, 4>* out,
                     const View<float, 3>* lse) {
  if (!owns(device, *inputs) || !owns(device, *out) || !owns(device, *lse)) return foreign;
  return kernels::attention_train_forward(Backend::cpu, *inputs, *out, *lse);
}
Status train_backward(void* device, const kernels::AttentionTrainInputs* inputs, const ConstView<float, 4>* out,
                      const ConstView<float, 3>* lse, const ConstView<float, 4>* d_out, double sparse_regularized_value,
                      const View<float, 4>* dq, const View<float, 4>* dk, const View<float, 4>* dv,
                      const View<float, 4>* d_roles) {
  if (!owns(device, *inputs) || !owns(device, *out) || !owns(device, *lse) || !owns(device, *d_out) ||
      !owns(device, *dq) || !owns(device, *dk) || !owns(device, *dv) || !owns(device, *d_roles)) {
    return foreign;
  }
  return kernels::attention_train_backward(Backend::cpu, *inputs, *out, *lse, *d_out, sparse_regularized_value, *dq,
                                           *dk, *dv, *d_roles);
}

std::int64_t replays = 0;
Status begin_recording(void* device) {
  if (recording_of(device) != nullptr) return {StatusCode::invalid_argument, "a recording in a recording"};
  of(device).recording = std::make_unique<test::HostRecording>();
  of(device).recording->moves = of(device).moves;
  return ok;
}
Status end_recording(void* device, void** recording) {
  if (recording_of(device) == nullptr) return {StatusCode::invalid_argument, "no recording to end"};
  std::unique_ptr<test::HostRecording> ended = std::move(of(device).recording);
  if (std::getenv("NATSCOPE_TEST_NO_RECORDING") != nullptr) return {StatusCode::invalid_argument, "no recording here"};
  *recording = ended.release();
  return ok;
}
void free_recording(void*, void* recording) { delete static_cast<test::HostRecording*>(recording); }
bool is_current(void* device, const void* recording) {
  return static_cast<const test::HostRecording*>(recording)->moves == of(device).moves;
}
Status replay(void* device, void* recording) {
  if (!is_current(device, recording)) return {StatusCode::invalid_argument, "a recording of memory that is gone"};
  ++replays;
  for (const auto& call : static_cast<test::HostRecording*>(recording)->calls) {
    if (const Status status = call(); !status.ok()) return status;
  }
  return ok;
}

template <auto operation>
constexpr auto recordable = &test::Recordable<operation, recording_of>::call;
template <auto operation>
constexpr auto alone = &test::NotRecordable<operation, recording_of>::call;

}  // namespace
}  // namespace natscope

#ifndef NATSCOPE_TEST_ABI_VERSION
#define NATSCOPE_TEST_ABI_VERSION natscope::kernels::device_abi_version
#endif

/// How often anybody waited for all of a device's work.
extern "C" std::int64_t natscope_test_device_waits();
extern "C" std::int64_t natscope_test_device_waits() { return natscope::waits; }
/// How often a recording was done.
extern "C" std::int64_t natscope_test_device_replays();
extern "C" std::int64_t natscope_test_device_replays() { return natscope::replays; }

extern "C" const natscope::kernels::DeviceOperations* natscope_device_operations();
extern "C" const natscope::kernels::DeviceOperations* natscope_device_operations() {
  using namespace natscope;
  static const kernels::DeviceOperations table{
      .abi_version = NATSCOPE_TEST_ABI_VERSION,
      .size_bytes = sizeof(kernels::DeviceOperations),
      .open = open,
      .close = close,
      .allocate = alone<allocate>,
      .free = free,
      .upload = copy_pinned<upload, 1>,
      .download = copy_pinned<download, 0>,
      .allocate_pinned = alone<allocate_pinned>,
      .free_pinned = free_pinned,
      .wait = alone<wait>,
      .set_mark = alone<set_mark>,
      .wait_mark = alone<wait_mark>,
      .stream = stream,
      .rms_norm = recordable<rms_norm>,
      .turn_heads = recordable<turn_heads>,
      .swiglu = recordable<swiglu>,
      .round_to_bf16 = recordable<round_to_bf16>,
      .linear = recordable<linear>,
      .token_products = recordable<token_products>,
      .token_heads = recordable<token_heads>,
      .assign_roles = recordable<assign_roles>,
      .create_cache = create_cache,
      .free_cache = free_cache,
      .reset_cache = alone<reset_cache>,
      .reserve_cache = alone<reserve_cache>,
      .append = recordable<append>,
      .append_token = recordable<append_token>,
      .keep_heavy_hitters = recordable<keep_heavy_hitters>,
      .end_appends = recordable<end_appends>,
      .cache_counts = cache_counts,
      .attention = recordable<attention>,
      .begin_recording = begin_recording,
      .end_recording = end_recording,
      .free_recording = free_recording,
      .is_current = is_current,
      .replay = alone<replay>,
      .attention_train_forward = train_forward,
      .attention_train_backward = train_backward,
  };
  return &table;
}
