// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "tests/cuda_on_host/device_thread.h"

namespace cuda_on_host {

inline constexpr std::size_t usual_shared_bytes = 227 * 1024;  // a block's, as on compute capability 9.0
inline constexpr unsigned most_threads = 1024;                 // a block's

struct KernelRun {
  Sizes grid, block;
  std::size_t shared_bytes = 0;
  bool dependent = false;  ///< every thread has to wait for the kernels before
  std::uint64_t seed = 0;  ///< of the order of blocks, warps and lanes
  std::function<void()> body;
};

/// Runs the whole grid on the calling thread, a block after the other. Threads of a block are fibers: one runs until it
/// waits for its warp or its block, and who comes next the seed says, so that what relies on an order shows.
void run_kernel(const KernelRun& run);

/// What a block may ask for: usual_shared_bytes, or less where a test has said so, for a smaller GPU.
[[nodiscard]] std::size_t most_shared_bytes();
void set_most_shared_bytes(std::size_t size_bytes);

/// Says what is wrong, and where, and ends the program.
[[noreturn]] void refuse(const char* what);

}  // namespace cuda_on_host
