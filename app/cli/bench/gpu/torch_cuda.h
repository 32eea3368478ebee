// SPDX-License-Identifier: GPL-3.0-or-later
/// LibTorch's CUDA part as the reference: its flash attention and its bf16 product. It is loaded when it is asked for,
/// so that the program itself links the CPU's LibTorch only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/expected.h"

namespace natscope::bench {

/// Work that is ready to run on the GPU, and how long one run takes (the device's clock, other data in its L2 cache
/// before).
using TorchWork = std::function<Expected<double>()>;

class TorchCuda {
 public:
  /// Errors: device_unavailable: this LibTorch has no CUDA part, or it finds no GPU.
  [[nodiscard]] static Expected<TorchCuda> open();

  /// Product of two size² matrices in bf16. Errors of all: out_of_memory, internal (LibTorch's own message).
  [[nodiscard]] Expected<TorchWork> product(std::int64_t size) const;
  /// Causal flash attention in bf16 of [1, heads, tokens, head_dim], and its backward pass.
  [[nodiscard]] Expected<TorchWork> flash_forward(std::int64_t heads, std::int64_t tokens, std::int64_t head_dim) const;
  [[nodiscard]] Expected<TorchWork> flash_backward(std::int64_t heads, std::int64_t tokens,
                                                   std::int64_t head_dim) const;
  /// Until the device has done what it was given.
  void wait() const;
  /// Gives unused memory of LibTorch's back to the device.
  void release_memory() const;
  /// The most bytes of it that tensors held at a time since forget_peak().
  [[nodiscard]] std::int64_t peak_bytes() const;
  void forget_peak() const;
};

}  // namespace natscope::bench
