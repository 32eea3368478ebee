// SPDX-License-Identifier: GPL-3.0-or-later
/// Calls kept to be done later, and done again: what a device's recording is, for one made of ordinary memory.
#pragma once

#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/device_operations.h"
#include "kernels/status.h"

struct natscope::kernels::DeviceRecording {
  std::vector<std::function<Status()>> calls;
  std::int64_t moves = 0;  ///< of the device's memory, when it was made
};

namespace natscope::test {

/// An argument as a recording keeps it. Views and other structs live on the caller's stack, so they are copied; numbers
/// behind pointers are the device's.
template <class T>
struct KeptArgument {
  T value;
  explicit KeptArgument(T given) : value(given) {}
  [[nodiscard]] T get() const { return value; }
};
template <class T>
requires std::is_class_v<T>
struct KeptArgument<const T*> {
  std::optional<T> value;
  explicit KeptArgument(const T* given) {
    if (given != nullptr) value = *given;
  }
  [[nodiscard]] const T* get() const { return value ? &*value : nullptr; }
};

/// `operation`, kept instead of done while `current(device)` is a recording.
template <auto operation, auto current>
struct Recordable;
template <class... Arguments, kernels::Status (*operation)(kernels::OpenedDevice*, Arguments...),
          kernels::DeviceRecording* (*current)(kernels::OpenedDevice*)>
struct Recordable<operation, current> {
  static kernels::Status call(kernels::OpenedDevice* device, Arguments... arguments) {
    kernels::DeviceRecording* const recording = current(device);
    if (recording == nullptr) return operation(device, arguments...);
    recording->calls.push_back([device, kept = std::tuple(KeptArgument<Arguments>(arguments)...)] {
      return std::apply([&](const auto&... each) { return operation(device, each.get()...); }, kept);
    });
    return {};
  }
};

/// `operation`, refused while `current(device)` is a recording.
template <auto operation, auto current>
struct NotRecordable;
template <class... Arguments, kernels::Status (*operation)(kernels::OpenedDevice*, Arguments...),
          kernels::DeviceRecording* (*current)(kernels::OpenedDevice*)>
struct NotRecordable<operation, current> {
  static kernels::Status call(kernels::OpenedDevice* device, Arguments... arguments) {
    if (current(device) != nullptr) return {kernels::StatusCode::invalid_argument, "not in a recording"};
    return operation(device, arguments...);
  }
};

}  // namespace natscope::test
