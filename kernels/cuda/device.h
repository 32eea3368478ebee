// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <utility>

#include "kernels/status.h"

struct CUstream_st;

/// Memory and order of work on a GPU, for code that includes no CUDA header: tests, and the engine's module.
///
/// Operations of kernels/cuda take views and pointers into device memory and a stream, put their work on the stream and
/// return at once; arrays must live until the stream has passed them. Everything runs on the thread's current device.
namespace natscope::kernels::cuda {

/// An order of work on the device (a cudaStream_t). Null is the default stream.
using Stream = CUstream_st*;

/// What the current device is and has.
struct DeviceInfo {
  char name[256] = "";
  std::int64_t memory_bytes = 0;
  std::int64_t free_bytes = 0;
  std::int32_t multiprocessors = 0;
  std::int32_t major = 0;  ///< compute capability
  std::int32_t minor = 0;
  std::int64_t shared_bytes_per_block = 0;  ///< what a kernel may ask for
  std::int64_t l2_bytes = 0;
  std::int32_t driver_version = 0;   ///< newest CUDA that the driver speaks, 13000 for 13.0; 0: no driver
  std::int32_t runtime_version = 0;  ///< CUDA that this was built with
};

/// Errors: backend_unavailable (no driver, too old a one, no GPU, or one older than compute capability 8.0).
Status device_info(DeviceInfo& info);

/// Memory from one of CUDA's allocators, freed with this object. Contents are undefined after allocation.
///
/// `Allocator` has `allocate(size_bytes, void*&)` for sizes above 0, which leaves null where it fails, and
/// `free(void*)`.
template <class Allocator>
class AllocatedMemory {
 public:
  AllocatedMemory() = default;
  ~AllocatedMemory() { release(); }
  AllocatedMemory(AllocatedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  AllocatedMemory& operator=(AllocatedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }

  /// Frees what it held. Errors: invalid_argument (a size below 0), out_of_memory, backend_unavailable.
  Status allocate(std::int64_t size_bytes) {
    release();
    if (size_bytes < 0) return {StatusCode::invalid_argument, "memory: a size below 0"};
    if (size_bytes == 0) return {};
    if (const Status status = Allocator::allocate(size_bytes, data_); !status.ok()) return status;
    size_bytes_ = size_bytes;
    return {};
  }
  /// Keeps what it has when that is enough.
  Status reserve(std::int64_t size_bytes) { return size_bytes <= size_bytes_ ? Status{} : allocate(size_bytes); }
  void release() {
    if (data_ != nullptr) Allocator::free(data_);
    data_ = nullptr;
    size_bytes_ = 0;
  }
  /// Gives the memory up to who keeps the pointer, and takes it back.
  [[nodiscard]] void* take() {
    size_bytes_ = 0;
    return std::exchange(data_, nullptr);
  }
  [[nodiscard]] static AllocatedMemory adopt(void* data) {
    AllocatedMemory memory;
    memory.data_ = data;
    return memory;
  }

  [[nodiscard]] void* data() const { return data_; }
  template <class T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data_);
  }
  [[nodiscard]] std::int64_t size_bytes() const { return size_bytes_; }

 private:
  void* data_ = nullptr;
  std::int64_t size_bytes_ = 0;
};

struct DeviceAllocations {
  static Status allocate(std::int64_t size_bytes, void*& data);
  static void free(void* data);
};

struct PinnedAllocations {
  static Status allocate(std::int64_t size_bytes, void*& data);
  static void free(void* data);
};

using DeviceMemory = AllocatedMemory<DeviceAllocations>;
/// Host memory that the device can copy from and to by itself.
using PinnedMemory = AllocatedMemory<PinnedAllocations>;

/// A stream that ends with this object.
class OwnedStream {
 public:
  OwnedStream() = default;
  ~OwnedStream();
  OwnedStream(const OwnedStream&) = delete;
  OwnedStream& operator=(const OwnedStream&) = delete;

  Status create();
  [[nodiscard]] Stream get() const { return stream_; }

 private:
  Stream stream_ = nullptr;
};

/// A point of a stream that the host can wait for.
class StreamMark {
 public:
  StreamMark() = default;
  ~StreamMark();
  StreamMark(const StreamMark&) = delete;
  StreamMark& operator=(const StreamMark&) = delete;

  Status create();
  /// Behind what is on the stream so far.
  Status set(Stream stream);
  /// Until the stream has passed where it was set last; at once when it never was. Errors: also what the work did
  /// wrong.
  Status wait() const;
  /// The same for all that comes on `stream` from here on; the host goes on.
  Status hold(Stream stream) const;

 private:
  void* event_ = nullptr;
};

/// Copies in stream order. To and from pinned memory they run beside the host; pageable memory makes the host wait.
Status copy_to_device(void* to, const void* from, std::int64_t size_bytes, Stream stream);
Status copy_to_host(void* to, const void* from, std::int64_t size_bytes, Stream stream);
/// Sets every byte.
Status fill_bytes(void* to, int byte, std::int64_t size_bytes, Stream stream);
/// Waits until the stream has done everything. Errors: also what a kernel before it did wrong.
Status synchronize(Stream stream);

/// Records what is put on a stream once, and launches it as a whole from then on.
///
///   graph.begin(stream); … operations on the stream, no allocation, no wait …; graph.end(stream);
///   graph.launch(stream);   // as often as wanted; pointers are those of the recording, what they point to may change
class Graph {
 public:
  Graph() = default;
  ~Graph() { reset(); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  Status begin(Stream stream);
  Status end(Stream stream);
  Status launch(Stream stream) const;
  void reset();
  [[nodiscard]] bool ready() const { return executable_ != nullptr; }

 private:
  void* executable_ = nullptr;
};

}  // namespace natscope::kernels::cuda
