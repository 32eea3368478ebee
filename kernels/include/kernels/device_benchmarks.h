// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/status.h"
#include "kernels/token_roles.h"

/// What libnatscope_cuda_bench.so offers `natscope-cli bench gpu`: single kernels on random data, timed on the device.
/// A table of functions behind a version, as kernels/device_operations.h is for the engine.
namespace natscope::kernels {

inline constexpr std::uint32_t device_benchmarks_abi_version = 2;
inline constexpr const char* device_benchmarks_entry_point = "natscope_device_benchmarks";

struct BenchmarkedDevice {
  char name[256] = "";
  std::int64_t memory_bytes = 0;
  std::int32_t driver_version = 0;  ///< newest CUDA that the driver speaks, 13000 for 13.0
};

/// One layer's attention in bf16. `roles` (host, [kv_heads, tokens]; null: every role Global) is read by prepare()
/// only.
struct BenchmarkedAttention {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t tokens = 0;
  const Role* roles = nullptr;
  std::int64_t window = 0;
};

enum class BenchmarkedKernel : std::uint32_t {
  read_memory,        ///< reads `tokens` bytes once: the roof; heads and the like are not looked at
  attention_decode,   ///< one query over a cache that took all tokens
  attention_prefill,  ///< all tokens as one chunk over an empty cache
  attention_backward  ///< training's backward pass with role gradients, batch of 1
};

/// What open() and prepare() hand out: the module's own, which nobody else looks into.
struct OpenedBench;
struct PreparedKernel;

struct DeviceBenchmarks {
  std::uint32_t abi_version = 0;  ///< first, and never moved
  std::uint32_t size_bytes = 0;   ///< of this struct

  /// Errors: backend_unavailable, out_of_memory.
  Status (*open)(OpenedBench** bench, BenchmarkedDevice* device) = nullptr;
  void (*close)(OpenedBench* bench) = nullptr;
  /// Memory and data for runs. `held_bytes` (may be null): of keys and values, or what is read.
  /// Errors: out_of_memory, and those of the kernel.
  Status (*prepare)(OpenedBench* bench, BenchmarkedKernel kernel, const BenchmarkedAttention* shape,
                    PreparedKernel** prepared, std::int64_t* held_bytes) = nullptr;
  void (*release)(PreparedKernel* prepared) = nullptr;
  /// Puts other data into the L2 cache, runs the kernel once, waits. `ms`: between two events round the kernel.
  Status (*run)(OpenedBench* bench, PreparedKernel* prepared, double* ms) = nullptr;
};

}  // namespace natscope::kernels
