// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/device.h"

#include <cstring>

#include "kernels/cuda/launch_status.cuh"

namespace natscope::kernels::cuda {

Status device_info(DeviceInfo& info) {
  info = {};
  cudaDriverGetVersion(&info.driver_version);
  cudaRuntimeGetVersion(&info.runtime_version);
  if (info.driver_version == 0) return {StatusCode::backend_unavailable, "no NVIDIA driver is installed"};
  if (info.driver_version / 1000 < info.runtime_version / 1000)
    return {StatusCode::backend_unavailable, "the NVIDIA driver is too old for CUDA 13"};
  int device = 0;
  if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) {
    cudaGetLastError();  // as in to_status
    return {StatusCode::backend_unavailable, cudaGetErrorString(error)};
  }
  cudaDeviceProp properties;
  if (const Status status = to_status(cudaGetDeviceProperties(&properties, device)); !status.ok()) return status;
  std::memcpy(info.name, properties.name, sizeof(info.name) - 1);
  info.multiprocessors = properties.multiProcessorCount;
  info.major = properties.major;
  info.minor = properties.minor;
  info.shared_bytes_per_block = static_cast<std::int64_t>(properties.sharedMemPerBlockOptin);
  info.l2_bytes = properties.l2CacheSize;
  if (info.major < 8)
    return {StatusCode::backend_unavailable, "the GPU is older than compute capability 8.0 (A100, RTX 30)"};
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  if (const Status status = to_status(cudaMemGetInfo(&free_bytes, &total_bytes)); !status.ok()) return status;
  info.free_bytes = static_cast<std::int64_t>(free_bytes);
  info.memory_bytes = static_cast<std::int64_t>(total_bytes);
  return {};
}

namespace {

/// What an allocation said; null stays where it failed.
Status allocated(cudaError_t error, void*& data) {
  if (error != cudaSuccess) data = nullptr;
  return to_status(error);
}

}  // namespace

Status DeviceAllocations::allocate(std::int64_t size_bytes, void*& data) {
  return allocated(cudaMalloc(&data, static_cast<std::size_t>(size_bytes)), data);
}

void DeviceAllocations::free(void* data) { cudaFree(data); }

Status PinnedAllocations::allocate(std::int64_t size_bytes, void*& data) {
  const Status status = allocated(cudaMallocHost(&data, static_cast<std::size_t>(size_bytes)), data);
  if (status.code != StatusCode::out_of_memory) return status;
  return {status.code, "the host has no memory left that a GPU can copy to"};  // to CUDA it is the same error
}

void PinnedAllocations::free(void* data) { cudaFreeHost(data); }

OwnedStream::~OwnedStream() {
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Status OwnedStream::create() { return to_status(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }

StreamMark::~StreamMark() {
  if (event_ != nullptr) cudaEventDestroy(static_cast<cudaEvent_t>(event_));
}

Status StreamMark::create() {
  cudaEvent_t event = nullptr;
  const Status status = to_status(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  event_ = event;
  return status;
}

Status StreamMark::set(Stream stream) { return to_status(cudaEventRecord(static_cast<cudaEvent_t>(event_), stream)); }

Status StreamMark::wait() const { return to_status(cudaEventSynchronize(static_cast<cudaEvent_t>(event_))); }

Status StreamMark::hold(Stream stream) const {
  return to_status(cudaStreamWaitEvent(stream, static_cast<cudaEvent_t>(event_), 0));
}

Status copy_to_device(void* to, const void* from, std::int64_t size_bytes, Stream stream) {
  return to_status(cudaMemcpyAsync(to, from, static_cast<std::size_t>(size_bytes), cudaMemcpyHostToDevice, stream));
}

Status copy_to_host(void* to, const void* from, std::int64_t size_bytes, Stream stream) {
  return to_status(cudaMemcpyAsync(to, from, static_cast<std::size_t>(size_bytes), cudaMemcpyDeviceToHost, stream));
}

Status fill_bytes(void* to, int byte, std::int64_t size_bytes, Stream stream) {
  return to_status(cudaMemsetAsync(to, byte, static_cast<std::size_t>(size_bytes), stream));
}

Status synchronize(Stream stream) { return to_status(cudaStreamSynchronize(stream)); }

Status Graph::begin(Stream stream) {
  reset();
  return to_status(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}

Status Graph::end(Stream stream) {
  cudaGraph_t recorded = nullptr;
  if (const Status status = to_status(cudaStreamEndCapture(stream, &recorded)); !status.ok()) return status;
  cudaGraphExec_t executable = nullptr;
  const Status status = to_status(cudaGraphInstantiate(&executable, recorded, 0));
  cudaGraphDestroy(recorded);
  executable_ = executable;
  return status;
}

Status Graph::launch(Stream stream) const {
  return to_status(cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable_), stream));
}

void Graph::reset() {
  if (executable_ != nullptr) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(executable_));
  executable_ = nullptr;
}

}  // namespace natscope::kernels::cuda
