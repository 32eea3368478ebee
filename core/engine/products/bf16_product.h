// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/element_type.h"

namespace natscope {

/// A product of bf16 matrices with sums in f32 on the calling thread, by whichever of LibTorch's libraries is fast
/// here.
///
/// oneDNN's blocks on processors with AVX-512 bf16 and no AMX: MKL's product is no faster there than that of f32
/// matrices, and LibTorch's linear() rounds the sums. MKL's elsewhere; linear() in a LibTorch without MKL.
/// One object a thread.
class Bf16Product {
 public:
  /// out [n, rows] (stride of rows `out_stride`) = x [n, cols] · weight [rows, cols]ᵀ, or grows by it. x and weight are
  /// packed. Throws what LibTorch throws.
  void multiply(const kernels::Bf16* x, std::int64_t n, std::int64_t cols, const kernels::Bf16* weight,
                std::int64_t rows, bool add, float* out, std::int64_t out_stride);

  /// Whether each product repacks its weights: then x is better cut into few blocks.
  [[nodiscard]] static bool packs_weights();

  /// Whether an f32 product is faster as three bf16 products of its parts, which are as exact.
  [[nodiscard]] static bool splits_pay();

 private:
  std::vector<std::uint32_t> packed_;
};

}  // namespace natscope
