// SPDX-License-Identifier: GPL-3.0-or-later
// The host's half of CUDA on the host: streams whose work waits until somebody waits for it, so that a result that is
// read too early is not there; copies of pageable and of pinned memory as the manual says; recorded graphs.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/cuda_on_host/block_run.h"
#include "tests/cuda_on_host/device_memory.h"

using Work = std::function<void()>;

struct CUgraph_st {
  std::vector<Work> work;
};
struct CUgraphExec_st {
  std::vector<Work> work;
};

struct CUstream_st {
  std::deque<Work> work;
  std::uint64_t queued = 0;
  std::uint64_t done = 0;
  std::unique_ptr<CUgraph_st> recording;
  bool recording_failed = false;
  CUstream_st* joins = nullptr;  ///< the stream whose recording takes what is put here
  bool joined = true;            ///< whether that one waits for all of it
};

struct CUevent_st {
  CUstream_st* stream = nullptr;
  std::uint64_t queued = 0;
  CUstream_st* recorded_on = nullptr;  ///< where it was set during a recording
  std::chrono::steady_clock::time_point passed;
};

namespace {

namespace host = cuda_on_host;

constexpr int multiprocessors = 3;  // few and odd: shares of work come out uneven
constexpr int most_blocks_of_one = 2;
constexpr int default_shared_bytes = 48 * 1024;

struct Runtime {
  std::recursive_mutex mutex;
  host::DeviceMemoryPages pages;
  CUstream_st default_stream;
  std::set<CUstream_st*> streams{&default_stream};
  std::map<const std::byte*, std::pair<std::unique_ptr<std::byte[]>, std::size_t>> pinned;
  std::unordered_map<const void*, int> allowed_shared_bytes;
  std::size_t most_shared_bytes = host::usual_shared_bytes;
  std::uint64_t kernels = 0;
  cudaError_t last_error = cudaSuccess;
};

Runtime& runtime() {
  static auto* const only = new Runtime;  // outlives whatever frees device memory at the end
  return *only;
}

cudaError_t said(cudaError_t error) {
  if (error != cudaSuccess) runtime().last_error = error;
  return error;
}

#define NATSCOPE_LOCKED const std::lock_guard lock(runtime().mutex)

CUstream_st& of(cudaStream_t stream) { return stream != nullptr ? *stream : runtime().default_stream; }

void run_until(CUstream_st& stream, std::uint64_t ticket) {
  if (stream.done >= ticket) return;
  const host::OpenPages opened(runtime().pages);
  while (stream.done < ticket) {
    const Work work = std::move(stream.work.front());
    stream.work.pop_front();
    ++stream.done;
    work();
  }
}

void run_all() {
  for (CUstream_st* const stream : runtime().streams) run_until(*stream, stream->queued);
}

/// What waits for the device, or may, ends every recording.
bool refused_by_recording() {
  bool refused = false;
  for (CUstream_st* const stream : runtime().streams) {
    if (stream->recording == nullptr) continue;
    stream->recording_failed = true;
    refused = true;
  }
  return refused;
}

void put(CUstream_st& stream, Work work) {
  if (stream.joins != nullptr) {
    // In the order of the calls, which is one of those that a graph may take.
    stream.joined = false;
    stream.joins->recording->work.push_back(std::move(work));
    return;
  }
  if (stream.recording != nullptr) {
    stream.recording->work.push_back(std::move(work));
    return;
  }
  stream.work.push_back(std::move(work));
  ++stream.queued;
}

bool is_pinned(const void* data, std::size_t size_bytes) {
  const auto* const begin = static_cast<const std::byte*>(data);
  const auto behind = runtime().pinned.upper_bound(begin);
  if (behind == runtime().pinned.begin()) return false;
  const auto& [first, memory] = *std::prev(behind);
  return begin + size_bytes <= first + memory.second;
}

}  // namespace

std::size_t host::most_shared_bytes() { return runtime().most_shared_bytes; }

void host::set_most_shared_bytes(std::size_t size_bytes) {
  NATSCOPE_LOCKED;
  runtime().most_shared_bytes = std::min(size_bytes, usual_shared_bytes);
  runtime().allowed_shared_bytes.clear();  // what was allowed on a larger one is not here
}

cudaError_t cudaGetLastError() {
  NATSCOPE_LOCKED;
  return std::exchange(runtime().last_error, cudaSuccess);
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    default:
      return "invalid argument";
  }
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"CUDA on the host (no GPU)", 9, 0, multiprocessors, host::most_shared_bytes(), 1 << 20};
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount ? multiprocessors : static_cast<int>(host::most_shared_bytes());
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  NATSCOPE_LOCKED;
  *total_bytes = host::DeviceMemoryPages::total_bytes;
  *free_bytes = *total_bytes - runtime().pages.used_bytes();
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  NATSCOPE_LOCKED;
  if (refused_by_recording()) return said(cudaErrorStreamCaptureUnsupported);
  run_all();
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, std::size_t size_bytes) {
  NATSCOPE_LOCKED;
  if (refused_by_recording()) return said(cudaErrorStreamCaptureUnsupported);
  *data = runtime().pages.allocate(size_bytes);
  return *data != nullptr ? cudaSuccess : said(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* data) {
  NATSCOPE_LOCKED;
  if (data == nullptr) return cudaSuccess;
  if (refused_by_recording()) return said(cudaErrorStreamCaptureUnsupported);
  run_all();
  return runtime().pages.release(data) ? cudaSuccess : said(cudaErrorInvalidValue);
}

cudaError_t cudaMallocHost(void** data, std::size_t size_bytes) {
  NATSCOPE_LOCKED;
  if (refused_by_recording()) return said(cudaErrorStreamCaptureUnsupported);
  auto memory = std::make_unique<std::byte[]>(size_bytes);
  std::fill_n(memory.get(), size_bytes, std::byte{0xff});
  std::byte* const first = memory.get();
  runtime().pinned[first] = {std::move(memory), size_bytes};
  *data = first;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* data) {
  NATSCOPE_LOCKED;
  if (data == nullptr) return cudaSuccess;
  if (refused_by_recording()) return said(cudaErrorStreamCaptureUnsupported);
  run_all();
  return runtime().pinned.erase(static_cast<const std::byte*>(data)) == 1 ? cudaSuccess : said(cudaErrorInvalidValue);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t size_bytes, cudaMemcpyKind kind,
                            cudaStream_t given) {
  NATSCOPE_LOCKED;
  if (size_bytes == 0) return cudaSuccess;
  const host::DeviceMemoryPages& pages = runtime().pages;
  if (kind != cudaMemcpyDeviceToHost && !pages.holds(to, size_bytes)) return said(cudaErrorInvalidValue);
  if (kind != cudaMemcpyHostToDevice && !pages.holds(from, size_bytes)) return said(cudaErrorInvalidValue);
  CUstream_st& stream = of(given);
  const bool records = stream.recording != nullptr || stream.joins != nullptr;
  if (kind == cudaMemcpyHostToDevice && !records && !is_pinned(from, size_bytes)) {
    // The caller may change pageable memory as soon as the call is back.
    const auto* const bytes = static_cast<const std::byte*>(from);
    put(stream,
        [to, copy = std::vector<std::byte>(bytes, bytes + size_bytes)] { std::memcpy(to, copy.data(), copy.size()); });
    return cudaSuccess;
  }
  put(stream, [to, from, size_bytes] { std::memmove(to, from, size_bytes); });
  if (kind == cudaMemcpyDeviceToHost && !records && !is_pinned(to, size_bytes)) run_until(stream, stream.queued);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t size_bytes, cudaStream_t stream) {
  NATSCOPE_LOCKED;
  if (size_bytes == 0) return cudaSuccess;
  if (!runtime().pages.holds(to, size_bytes)) return said(cudaErrorInvalidValue);
  put(of(stream), [to, byte, size_bytes] { std::memset(to, byte, size_bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  NATSCOPE_LOCKED;
  *stream = new CUstream_st;
  runtime().streams.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  NATSCOPE_LOCKED;
  run_until(*stream, stream->queued);
  runtime().streams.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t given) {
  NATSCOPE_LOCKED;
  CUstream_st& stream = of(given);
  if (stream.recording != nullptr || stream.joins != nullptr) {
    (stream.joins != nullptr ? *stream.joins : stream).recording_failed = true;
    return said(cudaErrorStreamCaptureUnsupported);
  }
  run_until(stream, stream.queued);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  NATSCOPE_LOCKED;
  if (event->stream != nullptr) run_until(*event->stream, event->queued);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t given) {
  NATSCOPE_LOCKED;
  CUstream_st& stream = of(given);
  event->recorded_on = nullptr;
  if (stream.recording != nullptr || stream.joins != nullptr) {
    event->recorded_on = &stream;
    return cudaSuccess;
  }
  put(stream, [event] { event->passed = std::chrono::steady_clock::now(); });
  event->stream = &stream;
  event->queued = stream.queued;
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begun, cudaEvent_t ended) {
  NATSCOPE_LOCKED;
  for (const CUevent_st* const event : {begun, ended}) {
    if (event->stream == nullptr || event->stream->done < event->queued) return said(cudaErrorInvalidResourceHandle);
  }
  *ms = std::chrono::duration<float, std::milli>(ended->passed - begun->passed).count();
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  NATSCOPE_LOCKED;
  if (event->stream != nullptr) run_until(*event->stream, event->queued);
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t given, cudaEvent_t event, unsigned) {
  NATSCOPE_LOCKED;
  CUstream_st& stream = of(given);
  CUstream_st* const source = event->recorded_on;
  if (source == nullptr) {
    if (stream.recording != nullptr || stream.joins != nullptr) return said(cudaErrorStreamCaptureUnsupported);
    if (event->stream == nullptr) return cudaSuccess;
    // Before anything else of either stream, though a GPU only says that it comes no later.
    put(stream, [from = event->stream, ticket = event->queued] { run_until(*from, ticket); });
    return cudaSuccess;
  }
  if (source->joins == &stream) {
    source->joined = true;
  } else if (source->recording != nullptr && stream.recording == nullptr) {
    stream.joins = source;
  }
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  NATSCOPE_LOCKED;
  if (stream == nullptr) return said(cudaErrorStreamCaptureUnsupported);
  stream->recording = std::make_unique<CUgraph_st>();
  stream->recording_failed = false;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  NATSCOPE_LOCKED;
  *graph = nullptr;
  if (stream == nullptr || stream->recording == nullptr) return said(cudaErrorInvalidValue);
  bool all_joined = true;
  for (CUstream_st* const other : runtime().streams) {
    if (other->joins != stream) continue;
    all_joined = all_joined && other->joined;
    other->joins = nullptr;
    other->joined = true;
  }
  std::unique_ptr<CUgraph_st> recording = std::move(stream->recording);
  if (!all_joined) return said(cudaErrorStreamCaptureUnjoined);
  if (stream->recording_failed) return said(cudaErrorStreamCaptureInvalidated);
  *graph = recording.release();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  NATSCOPE_LOCKED;
  if (executable == nullptr) return said(cudaErrorInvalidValue);
  for (const Work& work : executable->work) put(of(stream), work);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  NATSCOPE_LOCKED;
  const auto found = runtime().allowed_shared_bytes.find(kernel);
  *attributes = {90, found != runtime().allowed_shared_bytes.end() ? found->second : default_shared_bytes};
  return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute, int value) {
  NATSCOPE_LOCKED;
  if (value < 0 || value > static_cast<int>(host::most_shared_bytes())) return said(cudaErrorInvalidValue);
  runtime().allowed_shared_bytes[kernel] = value;
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads,
                                                          std::size_t shared_bytes) {
  const int by_threads = 2048 / threads;
  const int by_memory = static_cast<int>((host::most_shared_bytes() + 1024) / (shared_bytes + 1024));
  *blocks = std::min({by_threads, by_memory, most_blocks_of_one});
  return cudaSuccess;
}

cudaError_t cuda_on_host_launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
  NATSCOPE_LOCKED;
  const auto within = [](const dim3& sizes, unsigned x, unsigned y, unsigned z) {
    return sizes.x >= 1 && sizes.x <= x && sizes.y >= 1 && sizes.y <= y && sizes.z >= 1 && sizes.z <= z;
  };
  // Blocks of more than one row of threads are not used, and warps are taken from x alone.
  if (!within(config.gridDim, 0x7fffffff, 65535, 65535) || !within(config.blockDim, host::most_threads, 1, 1))
    return said(cudaErrorInvalidConfiguration);
  const auto found = runtime().allowed_shared_bytes.find(kernel);
  const int allowed = found != runtime().allowed_shared_bytes.end() ? found->second : default_shared_bytes;
  if (config.dynamicSmemBytes > static_cast<std::size_t>(std::max(allowed, default_shared_bytes)))
    return said(cudaErrorInvalidValue);
  const bool dependent = std::any_of(config.attrs, config.attrs + config.numAttrs, [](const cudaLaunchAttribute& a) {
    return a.id == cudaLaunchAttributeProgrammaticStreamSerialization && a.val.programmaticStreamSerializationAllowed;
  });
  host::KernelRun run{config.gridDim, config.blockDim, config.dynamicSmemBytes, dependent, 0, std::move(body)};
  put(of(config.stream), [run = std::move(run)]() mutable {
    run.seed = ++runtime().kernels;  // another order every time, the same in every process
    host::run_kernel(run);
  });
  return cudaSuccess;
}
