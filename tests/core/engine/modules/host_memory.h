// SPDX-License-Identifier: GPL-3.0-or-later
/// The host device's memory and copies. Everything is refused that a device could not do: pointers that it did not hand
/// out, results that were read before a wait. Memory is NaN when it is allocated.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "kernels/device_operations.h"
#include "kernels/status.h"
#include "kernels/views.h"
#include "tests/core/engine/modules/host_recording.h"

namespace natscope::test::host {

using kernels::DeviceRecording;
using kernels::OpenedDevice;
using kernels::Status;

struct Download {
  void* to;
  std::vector<char> bytes;
};

}  // namespace natscope::test::host

struct natscope::kernels::OpenedDevice {
  std::map<const char*, std::int64_t> memory;  // start → bytes
  std::int64_t used_bytes = 0;
  std::int64_t limit_bytes = std::numeric_limits<std::int64_t>::max();
  std::map<const char*, std::int64_t> pinned;
  std::deque<test::host::Download> pending;             // host memory is written when a wait has passed them
  std::int64_t delivered = 0;                           // downloads before the first one that is pending
  std::array<std::int64_t, device_mark_count> marks{};  // downloads issued before the mark
  std::int64_t moves = 0;
  bool was_waited_for = false;  // since memory was found last
  std::unique_ptr<DeviceRecording> recording;
};

namespace natscope::test::host {

inline DeviceRecording* recording_of(OpenedDevice* device) { return device->recording.get(); }

inline constexpr Status ok{};
inline constexpr Status foreign{kernels::StatusCode::invalid_argument, "memory that is not the device's"};

/// Whether all of it lies in memory that the device handed out.
[[nodiscard]] bool owns(OpenedDevice* device, const void* data, std::int64_t size_bytes);
[[nodiscard]] bool owns(OpenedDevice* device, const float* data, std::int64_t size);
template <class T, int Rank>
[[nodiscard]] bool owns(OpenedDevice* device, const kernels::View<T, Rank>& view) {
  std::int64_t last = 0;
  for (std::size_t axis = 0; axis < view.sizes.size(); ++axis) last += (view.sizes[axis] - 1) * view.strides[axis];
  return owns(device, static_cast<const void*>(view.data), (last + 1) * std::int64_t{sizeof(T)});
}

Status open(OpenedDevice** device, kernels::DeviceDescription* description);
void close(OpenedDevice* device);
Status allocate(OpenedDevice* device, std::int64_t size_bytes, void** memory);
void free(OpenedDevice* device, void* memory);
/// In a recording: copies of pinned memory only, which stays.
Status upload(OpenedDevice* device, void* to, const void* from_host, std::int64_t size_bytes);
Status download(OpenedDevice* device, void* to_host, const void* from, std::int64_t size_bytes);
Status wait(OpenedDevice* device);
Status set_mark(OpenedDevice* device, std::int32_t mark);
Status wait_mark(OpenedDevice* device, std::int32_t mark);
/// With NATSCOPE_TEST_DEVICE_STREAM set: not null, as if the memory were a GPU's. Nobody may use it.
void* stream(OpenedDevice* device);
Status allocate_pinned(OpenedDevice* device, std::int64_t size_bytes, void** memory);
void free_pinned(OpenedDevice* device, void* memory);

/// With NATSCOPE_TEST_IDLE_MEMORY set: true the first time it is asked, until a wait, as if the memory were there, and
/// kept by someone who does not use it.
[[nodiscard]] bool is_short_of_memory(OpenedDevice* device);

/// How often anybody waited for all of a device's work, and how many bytes were copied from it.
[[nodiscard]] std::int64_t waits_so_far();
[[nodiscard]] std::int64_t downloaded_bytes_so_far();

}  // namespace natscope::test::host
