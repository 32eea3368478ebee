// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>

#include "kernels/cuda/device.h"
#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/tile_launch.cuh"
#include "kernels/cuda/train_blocks.cuh"

namespace natscope::kernels::cuda {

/// As many stages as the current device's shared memory allows, two if it can. Errors: unsupported_shape.
template <class Block, class Element>
[[nodiscard]] Status choose_stages(std::int32_t& stages) {
  std::int64_t most = 0;
  if (const Status status = most_shared_bytes(most); !status.ok()) return status;
  stages = train_shared_bytes<Block, Element>(2) <= most ? 2 : 1;
  if (train_shared_bytes<Block, Element>(stages) > most) return too_little_shared_memory;
  return {};
}

/// Launches with as many stages as there is shared memory for. The kernel takes the call, and `more`.
template <class Block, class Element, class Kernel, class... More>
Status launch_tiles(Kernel kernel, dim3 grid, TrainCall& call, Stream stream, const More&... more) {
  if (const Status status = choose_stages<Block, Element>(call.stages); !status.ok()) return status;
  const std::int64_t shared = train_shared_bytes<Block, Element>(call.stages);
  if (const Status status = allow_shared_bytes(kernel, shared); !status.ok()) return status;
  return launch_kernel(kernel, grid, Block::Shape::threads, static_cast<std::size_t>(shared), stream, call, more...);
}

[[nodiscard]] inline TrainCall call_of(const TrainSizes& sizes, const TrainScratch& scratch) {
  return {scratch,
          sizes.length,
          sizes.head_dim,
          static_cast<std::int32_t>(sizes.heads),
          static_cast<std::int32_t>(sizes.kv_heads),
          1,
          static_cast<float>(1 / std::sqrt(static_cast<double>(sizes.head_dim))),
          false,
          {},
          {},
          {},
          {},
          {}};
}

}  // namespace natscope::kernels::cuda
