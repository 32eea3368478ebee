// SPDX-License-Identifier: GPL-3.0-or-later
/// CounterRandom's numbers, many at a time and where a tensor is to be. Private to core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/train/random/counter_random.h"

namespace natscope::train {

/// uniform(first), uniform(first + 1), …: f32 [count] on `device`, on every device the same bits.
[[nodiscard]] at::Tensor uniform_numbers(const CounterRandom& random, std::int64_t first, std::int64_t count,
                                         at::Device device);

}  // namespace natscope::train
