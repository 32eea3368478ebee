// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/views.h"

/// One call of an operation of kernels/cuda from a test: the host's arrays on the device, each between guard zones.
namespace natscope::test {

/// Elements from the first one to behind the last one, whatever lies between.
template <class T, int Rank>
[[nodiscard]] std::int64_t extent_of(const kernels::View<T, Rank>& view) {
  std::int64_t last = 0;
  for (int axis = 0; axis < Rank; ++axis) {
    if (view.size(axis) == 0) return 0;
    last += (view.size(axis) - 1) * view.stride(axis);
  }
  return last + 1;
}

class DeviceCall {
 public:
  /// The array as it stands on the host, on the device. A null view stays null.
  template <class T, int Rank>
  kernels::View<T, Rank> in(const kernels::View<T, Rank>& view) {
    return {upload(view.data, extent_of(view), false), view.sizes, view.strides};
  }
  template <class T>
  std::span<T> in(std::span<T> numbers) {
    return {upload(numbers.data(), static_cast<std::int64_t>(numbers.size()), false), numbers.size()};
  }
  const void* in(const void* bytes, std::int64_t size_bytes) {
    return upload(static_cast<const std::byte*>(bytes), size_bytes, false);
  }
  /// The same, and its contents are an output: what stands there now (NaN) goes along, so that what is not written
  /// shows.
  template <class T, int Rank>
  kernels::View<T, Rank> out(const kernels::View<T, Rank>& view) {
    return {upload(view.data, extent_of(view), true), view.sizes, view.strides};
  }
  template <class T>
  std::span<T> out(std::span<T> numbers) {
    return {upload(numbers.data(), static_cast<std::int64_t>(numbers.size()), true), numbers.size()};
  }
  /// Device memory of this size that no test looks into, between guards too.
  void* scratch(std::int64_t size_bytes) { return place(nullptr, size_bytes, nullptr); }

  /// Waits for the device, brings the outputs back and looks at the guard zones. The host's arrays are not touched yet.
  [[nodiscard]] kernels::Status finish() {
    if (!status_.ok()) return status_;
    if (const kernels::Status status = kernels::cuda::synchronize(nullptr); !status.ok()) return status;
    for (Array& array : arrays_) {
      auto* const inside = array.memory.as<std::byte>() + guard_bytes;
      std::byte guards[2 * guard_bytes];
      keep(kernels::cuda::copy_to_host(guards, inside - guard_bytes, guard_bytes, nullptr));
      keep(kernels::cuda::copy_to_host(guards + guard_bytes, inside + array.size_bytes, guard_bytes, nullptr));
      // Not of scratch: nobody writes all of it, and reading what nobody wrote is what initcheck reports.
      if (array.host != nullptr && array.size_bytes > 0) {
        array.result.resize(static_cast<std::size_t>(array.size_bytes));
        keep(kernels::cuda::copy_to_host(array.result.data(), inside, array.size_bytes, nullptr));
      }
      keep(kernels::cuda::synchronize(nullptr));
      if (!status_.ok()) return status_;
      if (!std::all_of(std::begin(guards), std::end(guards), [](std::byte byte) { return byte == guard; }))
        return {kernels::StatusCode::invalid_argument, "a guard zone of the device was written"};
    }
    return {};
  }
  [[nodiscard]] bool same_outputs(const DeviceCall& other) const {
    for (std::size_t index = 0; index < arrays_.size(); ++index) {
      if (arrays_[index].host != nullptr && arrays_[index].result != other.arrays_[index].result) return false;
    }
    return true;
  }
  void write_outputs() const {
    for (const Array& array : arrays_) {
      if (array.host != nullptr && !array.result.empty())
        std::memcpy(array.host, array.result.data(), array.result.size());
    }
  }

 private:
  static constexpr std::ptrdiff_t guard_bytes = 512;
  static constexpr std::byte guard{0xa5};

  struct Array {
    kernels::cuda::DeviceMemory memory;
    std::int64_t size_bytes = 0;
    void* host = nullptr;  ///< where the output goes; null of an input
    std::vector<std::byte> result;
  };

  template <class T>
  T* upload(T* host, std::int64_t count, bool is_output) {
    if (host == nullptr) return nullptr;
    const std::int64_t size_bytes = count * static_cast<std::int64_t>(sizeof(T));
    return static_cast<T*>(
        place(host, size_bytes, is_output ? const_cast<void*>(static_cast<const void*>(host)) : nullptr));
  }

  void* place(const void* contents, std::int64_t size_bytes, void* host) {
    Array array;
    array.size_bytes = size_bytes;
    array.host = host;
    keep(array.memory.allocate(size_bytes + 2 * guard_bytes));
    if (!status_.ok()) return nullptr;
    auto* const inside = array.memory.as<std::byte>() + guard_bytes;
    keep(kernels::cuda::fill_bytes(array.memory.data(), static_cast<int>(guard), guard_bytes, nullptr));
    keep(kernels::cuda::fill_bytes(inside + size_bytes, static_cast<int>(guard), guard_bytes, nullptr));
    if (contents != nullptr && size_bytes > 0)
      keep(kernels::cuda::copy_to_device(inside, contents, size_bytes, nullptr));
    arrays_.push_back(std::move(array));
    return inside;
  }
  void keep(const kernels::Status& status) {
    if (status_.ok()) status_ = status;
  }

  std::vector<Array> arrays_;
  kernels::Status status_;
};

/// Runs `operation(call)` twice on fresh copies. The host's outputs are written when both ran and gave equal bits.
template <class Operation>
[[nodiscard]] kernels::Status run_twice_on_device(const Operation& operation) {
  DeviceCall calls[2];
  for (DeviceCall& call : calls) {
    if (const kernels::Status status = operation(call); !status.ok()) return status;
    if (const kernels::Status status = call.finish(); !status.ok()) return status;
  }
  if (!calls[0].same_outputs(calls[1]))
    return {kernels::StatusCode::invalid_argument, "two runs on the device gave different bits"};
  calls[0].write_outputs();
  return {};
}

}  // namespace natscope::test
