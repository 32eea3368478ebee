// SPDX-License-Identifier: GPL-3.0-or-later
/// The reference of the decode benchmarks: the same step in plain LibTorch calls, with a cache that grows by torch.cat.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/expected.h"
#include "core/io/model_folder.h"
#include "kernels/element_type.h"

namespace natscope::bench {

/// A Llama decoder with full attention over `depth` cached tokens of random keys and values (their values do not change
/// the time). Rotation, norms and residuals as any eager implementation writes them; attention is LibTorch's fused one.
class LibTorchDecoder {
 public:
  /// Errors: out_of_memory.
  [[nodiscard]] static Expected<LibTorchDecoder> create(const ModelFolder& folder, kernels::ElementType dtype,
                                                        std::int64_t depth);

  LibTorchDecoder(LibTorchDecoder&&) noexcept;
  LibTorchDecoder& operator=(LibTorchDecoder&&) noexcept;
  ~LibTorchDecoder();

  void step(std::int32_t token);

 private:
  struct State;
  explicit LibTorchDecoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace natscope::bench
