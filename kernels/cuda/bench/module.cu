// SPDX-License-Identifier: GPL-3.0-or-later
// libnatscope_cuda_bench.so: the table of kernels/device_benchmarks.h over the operations of kernels/cuda.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <span>

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_prefill.h"
#include "kernels/cuda/attention_train.h"
#include "kernels/cuda/bench/random_fill.cuh"
#include "kernels/cuda/device.h"
#include "kernels/device_benchmarks.h"

namespace natscope::kernels {
namespace cuda {
namespace {

constexpr std::int64_t append_tokens = 4096;
constexpr unsigned threads_per_block = 256;

struct Event {
  cudaEvent_t event = nullptr;
  ~Event() {
    if (event != nullptr) cudaEventDestroy(event);
  }
};

struct Bench {
  OwnedStream stream;
  DeviceMemory flush;  // four times the L2 cache: read between runs
  Event begun, ended;
  std::int32_t multiprocessors = 1;
};

struct Prepared {
  std::unique_ptr<DeviceKvCache> cache;
  std::deque<DeviceMemory> arrays;
  std::function<Status(Stream)> launch;

  Status array(std::int64_t size_bytes, DeviceMemory*& memory) {
    memory = &arrays.emplace_back();
    return memory->allocate(std::max<std::int64_t>(size_bytes, 1));
  }
  /// [size] random numbers; null when there is no memory, and then `status` says so.
  float* numbers(std::int64_t size, Stream stream, Status& status) {
    if (!status.ok()) return nullptr;
    DeviceMemory* memory = nullptr;
    status = array(size * static_cast<std::int64_t>(sizeof(float)), memory);
    if (!status.ok()) return nullptr;
    status =
        launch_kernel(fill_with_numbers, 1024, threads_per_block, 0, stream, memory->as<float>(), size, arrays.size());
    return memory->as<float>();
  }
  void* bytes(std::int64_t size_bytes, Status& status) {
    if (!status.ok()) return nullptr;
    DeviceMemory* memory = nullptr;
    status = array(size_bytes, memory);
    return memory->data();
  }
  Role* roles(const BenchmarkedAttention& shape, Stream stream, Status& status) {
    const std::int64_t size = shape.kv_heads * shape.tokens;
    auto* const roles = static_cast<Role*>(bytes(size, status));
    if (!status.ok()) return nullptr;
    status = shape.roles != nullptr ? copy_to_device(roles, shape.roles, size, stream)
                                    : fill_bytes(roles, static_cast<int>(Role::global), size, stream);
    return roles;
  }
};

}  // namespace
}  // namespace cuda

struct OpenedBench : cuda::Bench {};
struct PreparedKernel : cuda::Prepared {};

namespace cuda {
namespace {

Status open_bench(OpenedBench** bench, BenchmarkedDevice* device) {
  DeviceInfo info;
  if (const Status status = device_info(info); !status.ok()) return status;
  std::unique_ptr<OpenedBench> opened(new (std::nothrow) OpenedBench());
  if (!opened) return {StatusCode::out_of_memory, "the host has no memory left"};
  if (const Status status = opened->stream.create(); !status.ok()) return status;
  if (const Status status = opened->flush.allocate(std::max<std::int64_t>(4 * info.l2_bytes, 1024)); !status.ok())
    return status;
  if (const Status status = fill_bytes(opened->flush.data(), 1, opened->flush.size_bytes(), opened->stream.get());
      !status.ok()) {
    return status;
  }
  if (const Status status = to_status(cudaEventCreate(&opened->begun.event)); !status.ok()) return status;
  if (const Status status = to_status(cudaEventCreate(&opened->ended.event)); !status.ok()) return status;
  opened->multiprocessors = info.multiprocessors;
  static_assert(sizeof(info.name) == sizeof(device->name));
  std::memcpy(device->name, info.name, sizeof(info.name));
  device->memory_bytes = info.memory_bytes;
  device->driver_version = info.driver_version;
  *bench = opened.release();
  return {};
}

void close_bench(OpenedBench* bench) { delete bench; }

KvCacheShape cache_shape(const BenchmarkedAttention& shape) {
  return {1, static_cast<std::int32_t>(shape.kv_heads), static_cast<std::int32_t>(shape.head_dim), ElementType::bf16};
}

Status prepare_read(Bench& bench, const BenchmarkedAttention& shape, Prepared& prepared, std::int64_t& held_bytes) {
  Status status;
  const std::int64_t quads = shape.tokens / static_cast<std::int64_t>(sizeof(float4));
  float* const data = prepared.numbers(4 * quads, bench.stream.get(), status);
  const unsigned blocks = static_cast<unsigned>(bench.multiprocessors) * 8;
  auto* const sums = static_cast<float*>(prepared.bytes(blocks * static_cast<std::int64_t>(sizeof(float)), status));
  if (!status.ok()) return status;
  held_bytes = quads * static_cast<std::int64_t>(sizeof(float4));
  prepared.launch = [=](Stream stream) {
    return launch_kernel(read_everything, blocks, threads_per_block, 0, stream, reinterpret_cast<const float4*>(data),
                         quads, sums);
  };
  return {};
}

/// The cache after all tokens; every piece of 4096 has the same keys.
Status fill_cache(Bench& bench, const BenchmarkedAttention& shape, Prepared& prepared) {
  const Stream stream = bench.stream.get();
  Status status;
  const std::int64_t piece = std::min(append_tokens, shape.tokens);
  float* const keys = prepared.numbers(shape.kv_heads * piece * shape.head_dim, stream, status);
  float* const values = prepared.numbers(shape.kv_heads * piece * shape.head_dim, stream, status);
  const Role* const roles = prepared.roles(shape, stream, status);
  if (!status.ok()) return status;
  for (std::int64_t first = 0; first < shape.tokens; first += piece) {
    const std::int64_t count = std::min(piece, shape.tokens - first);
    const View<float, 3> rows{
        nullptr, {shape.kv_heads, count, shape.head_dim}, {piece * shape.head_dim, shape.head_dim, 1}};
    const ConstView<float, 3> k{keys, rows.sizes, rows.strides};
    const ConstView<float, 3> v{values, rows.sizes, rows.strides};
    const ConstView<Role, 2> r{roles + first, {shape.kv_heads, count}, {shape.tokens, 1}};
    if (status = prepared.cache->reserve(count, 1, stream); !status.ok()) return status;
    if (status = prepared.cache->append(LayerId(0), r, k, v, stream); !status.ok()) return status;
    if (status = prepared.cache->finish_step(stream); !status.ok()) return status;
  }
  if (status = synchronize(stream); !status.ok()) return status;
  return prepared.cache->failure();
}

Status prepare_decode(Bench& bench, const BenchmarkedAttention& shape, Prepared& prepared, std::int64_t& held_bytes) {
  const Stream stream = bench.stream.get();
  Status status = DeviceKvCache::create(cache_shape(shape), shape.tokens, nullptr, prepared.cache);
  if (status.ok()) status = prepared.cache->reset(shape.window, nullptr, stream);
  if (status.ok()) status = fill_cache(bench, shape, prepared);
  float* const queries = prepared.numbers(shape.heads * shape.head_dim, stream, status);
  float* const key = prepared.numbers(shape.kv_heads * shape.head_dim, stream, status);
  float* const value = prepared.numbers(shape.kv_heads * shape.head_dim, stream, status);
  float* const out = prepared.numbers(shape.heads * shape.head_dim, stream, status);
  float* const lse = prepared.numbers(shape.heads, stream, status);
  if (!status.ok()) return status;
  const std::int64_t scratch_bytes = attention_decode_scratch_bytes(shape.heads, *prepared.cache);
  void* const scratch = prepared.bytes(scratch_bytes, status);
  if (!status.ok()) return status;
  held_bytes = prepared.cache->total_entries() * 2 * shape.head_dim * element_bytes(ElementType::bf16);
  const DeviceKvCache* const cache = prepared.cache.get();
  prepared.launch = [=](Stream on) {
    return attention_decode(ConstView<float, 2>::packed(queries, {shape.heads, shape.head_dim}),
                            ConstView<float, 2>::packed(key, {shape.kv_heads, shape.head_dim}),
                            ConstView<float, 2>::packed(value, {shape.kv_heads, shape.head_dim}), *cache, LayerId(0),
                            View<float, 2>::packed(out, {shape.heads, shape.head_dim}),
                            {lse, static_cast<std::size_t>(shape.heads)}, {}, scratch, scratch_bytes, on);
  };
  return {};
}

Status prepare_prefill(Bench& bench, const BenchmarkedAttention& shape, Prepared& prepared, std::int64_t& held_bytes) {
  const Stream stream = bench.stream.get();
  Status status = DeviceKvCache::create(cache_shape(shape), shape.tokens, nullptr, prepared.cache);
  if (status.ok()) status = prepared.cache->reset(shape.window, nullptr, stream);
  const std::array<std::int64_t, 3> wide{shape.heads, shape.tokens, shape.head_dim};
  const std::array<std::int64_t, 3> narrow{shape.kv_heads, shape.tokens, shape.head_dim};
  const std::int64_t wide_size = shape.heads * shape.tokens * shape.head_dim;
  const std::int64_t narrow_size = shape.kv_heads * shape.tokens * shape.head_dim;
  float* const queries = prepared.numbers(wide_size, stream, status);
  float* const keys = prepared.numbers(narrow_size, stream, status);
  float* const values = prepared.numbers(narrow_size, stream, status);
  float* const out = prepared.numbers(wide_size, stream, status);
  float* const lse = prepared.numbers(shape.heads * shape.tokens, stream, status);
  const Role* const roles = prepared.roles(shape, stream, status);
  if (!status.ok()) return status;
  const std::int64_t scratch_bytes = attention_prefill_scratch_bytes(shape.heads, shape.tokens, *prepared.cache);
  void* const scratch = prepared.bytes(scratch_bytes, status);
  if (!status.ok()) return status;
  held_bytes = 2 * narrow_size * static_cast<std::int64_t>(sizeof(float));
  const DeviceKvCache* const cache = prepared.cache.get();
  prepared.launch = [=](Stream on) {
    return attention_prefill(ConstView<float, 3>::packed(queries, wide), ConstView<float, 3>::packed(keys, narrow),
                             ConstView<float, 3>::packed(values, narrow),
                             ConstView<Role, 2>::packed(roles, {shape.kv_heads, shape.tokens}), *cache, LayerId(0),
                             TokenPos(0), View<float, 3>::packed(out, wide),
                             View<float, 2>::packed(lse, {shape.heads, shape.tokens}), scratch, scratch_bytes, on);
  };
  return {};
}

Status prepare_backward(Bench& bench, const BenchmarkedAttention& shape, Prepared& prepared, std::int64_t& held_bytes) {
  const Stream stream = bench.stream.get();
  const std::array<std::int64_t, 4> wide{1, shape.heads, shape.tokens, shape.head_dim};
  const std::array<std::int64_t, 4> narrow{1, shape.kv_heads, shape.tokens, shape.head_dim};
  const std::int64_t wide_size = shape.heads * shape.tokens * shape.head_dim;
  const std::int64_t narrow_size = shape.kv_heads * shape.tokens * shape.head_dim;
  Status status;
  const auto rows = [&](const std::array<std::int64_t, 4>& sizes, std::int64_t size) {
    return View<float, 4>::packed(prepared.numbers(size, stream, status), sizes);
  };
  const View<float, 4> q = rows(wide, wide_size), k = rows(narrow, narrow_size), v = rows(narrow, narrow_size);
  const View<float, 4> out = rows(wide, wide_size), d_out = rows(wide, wide_size), dq = rows(wide, wide_size);
  const View<float, 4> dk = rows(narrow, narrow_size), dv = rows(narrow, narrow_size);
  const View<float, 4> d_roles =
      rows({1, shape.kv_heads, shape.tokens, role_count}, shape.kv_heads * shape.tokens * role_count);
  const auto lse = View<float, 3>::packed(prepared.numbers(shape.heads * shape.tokens, stream, status),
                                          {1, shape.heads, shape.tokens});
  const Role* const roles = prepared.roles(shape, stream, status);
  if (!status.ok()) return status;
  const AttentionTrainInputs inputs{
      q, k, v, ConstView<Role, 3>::packed(roles, {1, shape.kv_heads, shape.tokens}), shape.window, ElementType::bf16};
  const std::int64_t scratch_bytes =
      std::max(attention_train_scratch_bytes(inputs, false), attention_train_scratch_bytes(inputs, true));
  void* const scratch = prepared.bytes(scratch_bytes, status);
  if (status.ok()) status = attention_train_forward(inputs, out, lse, scratch, scratch_bytes, stream);
  if (!status.ok()) return status;
  held_bytes = (3 * wide_size + 2 * narrow_size) * static_cast<std::int64_t>(sizeof(float));
  prepared.launch = [=](Stream on) {
    return attention_train_backward(inputs, out, lse, d_out, 0.0, dq, dk, dv, d_roles, scratch, scratch_bytes, on);
  };
  return {};
}

Status prepare(OpenedBench* bench, BenchmarkedKernel kernel, const BenchmarkedAttention* shape,
               PreparedKernel** prepared, std::int64_t* held_bytes) try {
  auto made = std::make_unique<PreparedKernel>();
  std::int64_t held = 0;
  Status status{StatusCode::invalid_argument, "no such kernel"};
  switch (kernel) {
    case BenchmarkedKernel::read_memory:
      status = prepare_read(*bench, *shape, *made, held);
      break;
    case BenchmarkedKernel::attention_decode:
      status = prepare_decode(*bench, *shape, *made, held);
      break;
    case BenchmarkedKernel::attention_prefill:
      status = prepare_prefill(*bench, *shape, *made, held);
      break;
    case BenchmarkedKernel::attention_backward:
      status = prepare_backward(*bench, *shape, *made, held);
      break;
  }
  if (!status.ok()) return status;
  if (status = synchronize(bench->stream.get()); !status.ok()) return status;
  if (held_bytes != nullptr) *held_bytes = held;
  *prepared = made.release();
  return {};
} catch (const std::bad_alloc&) {
  return {StatusCode::out_of_memory, "the host has no memory left"};
}

void release(PreparedKernel* prepared) { delete prepared; }

Status run(OpenedBench* bench, PreparedKernel* prepared, double* ms) {
  const Stream stream = bench->stream.get();
  // Reading leaves nothing in the cache that would have to be written back under the clock.
  const DeviceMemory& flush = bench->flush;
  if (const Status status =
          launch_kernel(read_everything, static_cast<unsigned>(bench->multiprocessors), threads_per_block, 0, stream,
                        flush.as<const float4>(), flush.size_bytes() / std::int64_t{sizeof(float4)}, flush.as<float>());
      !status.ok()) {
    return status;
  }
  if (const Status status = to_status(cudaEventRecord(bench->begun.event, stream)); !status.ok()) return status;
  if (const Status status = prepared->launch(stream); !status.ok()) return status;
  if (const Status status = to_status(cudaEventRecord(bench->ended.event, stream)); !status.ok()) return status;
  if (const Status status = synchronize(stream); !status.ok()) return status;
  float elapsed_ms = 0;
  const Status status = to_status(cudaEventElapsedTime(&elapsed_ms, bench->begun.event, bench->ended.event));
  *ms = elapsed_ms;
  return status;
}

constexpr DeviceBenchmarks table{.abi_version = device_benchmarks_abi_version,
                                 .size_bytes = sizeof(DeviceBenchmarks),
                                 .open = open_bench,
                                 .close = close_bench,
                                 .prepare = prepare,
                                 .release = release,
                                 .run = run};

}  // namespace
}  // namespace cuda
}  // namespace natscope::kernels

extern "C" __attribute__((visibility("default"))) const natscope::kernels::DeviceBenchmarks*
natscope_device_benchmarks();
const natscope::kernels::DeviceBenchmarks* natscope_device_benchmarks() { return &natscope::kernels::cuda::table; }
