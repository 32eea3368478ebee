// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/base/expected.h"
#include "kernels/device_benchmarks.h"

namespace natscope::bench {

/// The module that times single kernels, and the device that it opened.
class KernelBench {
 public:
  /// Loads `path` (empty: libnatscope_cuda_bench.so beside the program).
  /// Errors: device_unavailable (no such module, one of another version, no driver, no GPU), out_of_memory.
  [[nodiscard]] static Expected<std::unique_ptr<KernelBench>> open(const std::filesystem::path& path);
  ~KernelBench();
  KernelBench(const KernelBench&) = delete;
  KernelBench& operator=(const KernelBench&) = delete;

  [[nodiscard]] const kernels::BenchmarkedDevice& device() const { return device_; }

  /// A kernel with its memory and data; KernelBench must outlive it.
  class Prepared {
   public:
    Prepared(Prepared&& other) noexcept;
    Prepared& operator=(Prepared&&) = delete;
    ~Prepared();
    [[nodiscard]] std::int64_t held_bytes() const { return held_bytes_; }
    /// Seconds of one run on the device's own clock, with other data in its L2 cache before.
    [[nodiscard]] Expected<double> seconds() const;

   private:
    friend class KernelBench;
    explicit Prepared(const KernelBench& bench) : bench_(&bench) {}
    const KernelBench* bench_;
    kernels::PreparedKernel* prepared_ = nullptr;
    std::int64_t held_bytes_ = 0;
  };
  [[nodiscard]] Expected<Prepared> prepare(kernels::BenchmarkedKernel kernel,
                                           const kernels::BenchmarkedAttention& shape) const;

 private:
  KernelBench() = default;

  const kernels::DeviceBenchmarks* table_ = nullptr;
  kernels::OpenedBench* bench_ = nullptr;
  kernels::BenchmarkedDevice device_;
};

}  // namespace natscope::bench
