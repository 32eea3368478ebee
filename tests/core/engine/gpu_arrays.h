// SPDX-License-Identifier: GPL-3.0-or-later
/// What tests of a GPU's module stand on: the module, arrays on its device, and comparing what comes back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "core/device/device_module.h"

namespace natscope::test {

using Numbers = std::vector<float>;

/// The module that the program was built for: a GPU's, or the same sources on the host.
inline const std::filesystem::path gpu_module = NATSCOPE_CUDA_MODULE;

[[nodiscard]] std::unique_ptr<DeviceModule> open_gpu_module();

/// From -1 to 1.
[[nodiscard]] Numbers some_numbers(std::int64_t size, std::uint64_t seed);

/// A NaN-poisoned guard stands behind what is uploaded; read() looks at it.
class OnDevice {
 public:
  OnDevice(const DeviceModule& module, const Numbers& numbers);
  [[nodiscard]] float* data() const { return array_.as(); }
  [[nodiscard]] Numbers read() const;

 private:
  const DeviceModule& module_;
  DeviceArray array_;
  std::size_t size_;
};

/// The largest difference is at most `tolerance` times the largest number of `truth`.
void check_close(const Numbers& found, const std::vector<double>& truth, double tolerance);

/// What `once` gives; a second run has to give equal bits.
Numbers twice(const std::function<Numbers()>& once);

}  // namespace natscope::test
