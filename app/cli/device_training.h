// SPDX-License-Identifier: GPL-3.0-or-later
/// The training attention on a GPU, through the module beside the program: `kernel --backend cuda`.
#pragma once

#include <filesystem>
#include <memory>

#include "core/base/expected.h"
#include "kernels/device_training.h"

namespace natscope {

class DeviceTrainingModule {
 public:
  /// Loads `path` (empty: libnatscope_cuda_bench.so beside the program). Errors: device_unavailable (no such module, or
  /// one of another version); whether there is a GPU shows at the first call.
  [[nodiscard]] static Expected<DeviceTrainingModule> open(const std::filesystem::path& path = {});
  [[nodiscard]] const kernels::DeviceTraining& table() const { return *table_; }

 private:
  struct CloseLibrary {
    void operator()(void* library) const;
  };
  std::unique_ptr<void, CloseLibrary> library_;
  const kernels::DeviceTraining* table_ = nullptr;
};

}  // namespace natscope
