// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/device/torch_on_device.h"

#include <ATen/ops/from_blob.h>

namespace natscope {

Expected<TorchOnDevice> TorchOnDevice::open(const DeviceModule& module) {
  TorchOnDevice torch(module.operations().stream(module.device()));
  if (torch.is_host()) return torch;
  NATSCOPE_CHECK(load_torch_cuda());
  compute_in_full_precision();
  return torch;
}

at::TensorOptions TorchOnDevice::options(at::ScalarType type) const {
  return at::TensorOptions().dtype(type).device(device());
}

// With the device named, CUDA is not asked each time whose memory it is.
at::Tensor TorchOnDevice::tensor(const void* data, at::ScalarType type, at::IntArrayRef sizes,
                                 at::IntArrayRef strides) const {
  return at::for_blob(const_cast<void*>(data), sizes)
      .strides(strides)
      .options(options(type))
      .target_device(device())
      .make_tensor();
}

at::Tensor TorchOnDevice::packed(const void* data, at::ScalarType type, at::IntArrayRef sizes) const {
  return at::for_blob(const_cast<void*>(data), sizes).options(options(type)).target_device(device()).make_tensor();
}

}  // namespace natscope
