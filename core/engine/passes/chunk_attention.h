// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/expected.h"
#include "kernels/device_operations.h"
#include "kernels/ids.h"
#include "kernels/views.h"

namespace natscope {

/// What a pass on a device may attend with in place of the device's own attention and cache: keeps the keys and values
/// of all tokens itself, and knows no roles. For measurements against somebody else's attention.
///
/// One thread at a time, as the device; work is put on the device's stream, and all arrays are there.
class ChunkAttention {
 public:
  ChunkAttention() = default;
  virtual ~ChunkAttention() = default;
  ChunkAttention(const ChunkAttention&) = delete;
  ChunkAttention& operator=(const ChunkAttention&) = delete;

  /// Forgets the sequence.
  virtual void reset() = 0;

  /// Keeps keys and values of tokens first … first + n - 1 of a layer, behind those before them; token first + i
  /// attends to tokens 0 … first + i.
  ///   queries [heads, n, head_dim], keys, values [kv_heads, n, head_dim]   f32, rotated, any strides but packed last
  ///   out     as queries, lse [heads, n] of the scaled scores              f32; written
  /// Errors: out_of_memory, internal.
  [[nodiscard]] virtual Expected<void> run(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                           kernels::ConstView<float, 3> keys, kernels::ConstView<float, 3> values,
                                           kernels::View<float, 3> out, kernels::View<float, 2> lse) = 0;

  /// What is held now, in the terms of the cache that it stands for.
  [[nodiscard]] virtual kernels::DeviceCacheCounts counts() const = 0;
};

}  // namespace natscope
