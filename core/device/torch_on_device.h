// SPDX-License-Identifier: GPL-3.0-or-later
/// Private to this folder's .cpp files: brings LibTorch.
#pragma once

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>

#include "core/base/expected.h"
#include "core/device/device_module.h"
#include "core/device/torch_cuda.h"
#include "core/device/torch_errors.h"
#include "core/device/torch_streams.h"
#include "kernels/views.h"

namespace natscope {

/// LibTorch at work on an opened device: its memory as tensors, its stream as the current one. What LibTorch allocates
/// meanwhile is its caching allocator's, for that stream.
class TorchOnDevice {
 public:
  /// The module must outlive the result. Errors: as load_torch_cuda, where the device's memory is not the host's.
  [[nodiscard]] static Expected<TorchOnDevice> open(const DeviceModule& module);

  /// Whether the device's memory is the host's, and LibTorch's CPU part works on it: a device of the tests.
  [[nodiscard]] bool is_host() const { return stream_ == nullptr; }
  [[nodiscard]] at::TensorOptions options(at::ScalarType type) const;
  /// The device's memory as it lies; it must outlive the tensor.
  [[nodiscard]] at::Tensor tensor(const void* data, at::ScalarType type, at::IntArrayRef sizes,
                                  at::IntArrayRef strides) const;
  [[nodiscard]] at::Tensor packed(const void* data, at::ScalarType type, at::IntArrayRef sizes) const;
  template <class T, int Rank>
  [[nodiscard]] at::Tensor tensor(kernels::View<T, Rank> view) const {
    return tensor(view.data, at::kFloat, view.sizes, view.strides);
  }

  /// Puts what `work` does on the device's stream. f32 products are f32: no TF32. What it throws becomes an error.
  template <class Work>
  [[nodiscard]] Expected<void> run(const Work& work) const {
    try {
      const c10::InferenceMode no_gradients;
      const at::NoTF32Guard no_tf32;
      c10::OptionalStreamGuard on_stream;
      if (!is_host()) on_stream.reset_stream(torch_stream(stream_));
      work();
      return {};
    } catch (const std::exception& problem) {
      return from_torch(problem);
    }
  }

 private:
  explicit TorchOnDevice(void* stream) : stream_(stream) {}

  [[nodiscard]] at::Device device() const { return is_host() ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0); }

  void* stream_;
};

}  // namespace natscope
