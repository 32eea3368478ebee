// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/base/expected.h"
#include "kernels/device_operations.h"

namespace natscope {

/// A device that a module opened, and its functions.
class DeviceModule {
 public:
  /// Loads `path` (empty: libnatscope_cuda.so beside the program) and opens its device.
  /// Errors: device_unavailable (no such module, one of another version, no driver, no GPU), out_of_memory.
  [[nodiscard]] static Expected<std::unique_ptr<DeviceModule>> open(const std::filesystem::path& path);
  /// Whether there is a file to load.
  [[nodiscard]] static bool is_there(const std::filesystem::path& path);
  ~DeviceModule();
  DeviceModule(const DeviceModule&) = delete;
  DeviceModule& operator=(const DeviceModule&) = delete;

  [[nodiscard]] const kernels::DeviceOperations& operations() const { return *operations_; }
  [[nodiscard]] kernels::OpenedDevice* device() const { return device_; }
  [[nodiscard]] const kernels::DeviceDescription& description() const { return description_; }

 private:
  DeviceModule() = default;

  const kernels::DeviceOperations* operations_ = nullptr;
  kernels::OpenedDevice* device_ = nullptr;
  kernels::DeviceDescription description_;
};

/// Memory of a device, freed with this object. The module must outlive it.
class DeviceArray {
 public:
  explicit DeviceArray(const DeviceModule& module) : module_(&module) {}
  ~DeviceArray() { release(); }
  DeviceArray(DeviceArray&& other) noexcept;
  DeviceArray& operator=(DeviceArray&&) = delete;

  /// At least so many bytes; what it held is lost when it grows. Errors: out_of_memory.
  [[nodiscard]] Expected<void> reserve(std::int64_t size_bytes);
  /// Makes room for `size_bytes`, and copies them there.
  [[nodiscard]] Expected<void> upload(const void* from, std::int64_t size_bytes);

  template <class T = float>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  void release();

  const DeviceModule* module_;
  void* memory_ = nullptr;
  std::int64_t size_bytes_ = 0;
};

/// Host memory that a device copies to by itself, freed with this object. The module must outlive it.
class PinnedArray {
 public:
  explicit PinnedArray(const DeviceModule& module) : module_(&module) {}
  ~PinnedArray();
  PinnedArray(const PinnedArray&) = delete;
  PinnedArray& operator=(const PinnedArray&) = delete;

  /// At least so many bytes; what it held is lost when it grows. Errors: out_of_memory.
  [[nodiscard]] Expected<void> reserve(std::int64_t size_bytes);
  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  const DeviceModule* module_;
  void* memory_ = nullptr;
  std::int64_t size_bytes_ = 0;
};

}  // namespace natscope
