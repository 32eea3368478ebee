// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/base/expected.h"
#include "core/device/device_module.h"
#include "kernels/element_type.h"
#include "kernels/linear.h"

namespace natscope {

class TorchOnDevice;

/// Products of many rows with weights, all on a device, through LibTorch's matrix libraries and on the device's own
/// stream. One thread at a time, as the device.
class TorchProducts {
 public:
  /// Below so many rows the device's own kernel is to be taken: it reads the weights once for a few rows together.
  static constexpr std::int64_t least_rows = 16;

  /// `dtype`: the engine's, of what `run` is given as x. The module must outlive the result.
  /// Errors: device_unavailable (as load_torch_cuda).
  [[nodiscard]] static Expected<std::unique_ptr<TorchProducts>> open(const DeviceModule& module,
                                                                     kernels::ElementType dtype);
  /// Gives back what LibTorch holds for these products.
  ~TorchProducts();

  /// Several products of the same rows: out [rows, out_size] = x [rows, in_size] f32 · weightᵀ + bias, or out grows by
  /// it (`add`). All pointers are the device's, all arrays packed. Sums are f32 and are never rounded to bf16; x is
  /// rounded to bf16 where engine and weights are of that type, which changes nothing in rows of such an engine.
  /// Costs memory on the device: x in bf16 (bf16 engine), or 64 MiB of weights in f32 (bf16 weights in an f32 engine).
  /// Errors: out_of_memory, internal.
  [[nodiscard]] Expected<void> run(const float* x, std::int64_t rows, std::span<const kernels::LinearRow> products,
                                   bool add) const;

 private:
  TorchProducts(std::unique_ptr<TorchOnDevice> torch, kernels::ElementType dtype);

  std::unique_ptr<TorchOnDevice> torch_;
  kernels::ElementType dtype_;
};

}  // namespace natscope
