// SPDX-License-Identifier: GPL-3.0-or-later
/// Sums over ranks of numbers that lie on a device, while the device goes on computing.
///
///     NATSCOPE_TRY(auto sums, nccl_all_reduce(ranks, std::move(side)));  // every rank makes the same calls
///     … a layer's gradient is on its way: NATSCOPE_CHECK(sums->begin(part, count)); …
///     NATSCOPE_CHECK(sums->finish());  // what the device computes next sees the sums
///
/// Nothing here waits for the device: a rank that does not come is noticed where counts are added up (rank_group.h),
/// and no device has to be waited for before that.
#pragma once

#include <cstdint>

#include "core/base/expected.h"

namespace natscope::train {

class DeviceAllReduce {
 public:
  DeviceAllReduce() = default;
  virtual ~DeviceAllReduce() = default;
  DeviceAllReduce(const DeviceAllReduce&) = delete;
  DeviceAllReduce& operator=(const DeviceAllReduce&) = delete;

  /// Begins to add up numbers [count] of the device's memory over all ranks, in place, behind what the device was given
  /// before; nothing may touch them until finish(). Errors: io_failure, internal.
  [[nodiscard]] virtual Expected<void> begin(float* numbers, std::int64_t count) = 0;
  /// Lets what the device is given from now on wait for all sums that were begun. Errors: as begin().
  [[nodiscard]] virtual Expected<void> finish() = 0;
};

/// A stream of the device beside the one that computes.
class SideStream {
 public:
  SideStream() = default;
  virtual ~SideStream() = default;
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;

  [[nodiscard]] virtual void* handle() const = 0;  ///< the driver's, such as a cudaStream_t
  /// What this stream is given next waits for what the computing one was given so far. Errors: internal.
  [[nodiscard]] virtual Expected<void> wait_for_computing() = 0;
  /// The other way round. Errors: internal.
  [[nodiscard]] virtual Expected<void> let_computing_wait() = 0;
  /// Whether all of its work is done.
  [[nodiscard]] virtual bool is_idle() const = 0;
};

}  // namespace natscope::train
