// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/kernel_bench.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/base/program_folder.h"
#include "core/base/shared_library.h"
#include "core/cache/kernel_status.h"

namespace natscope::bench {
namespace {

/// An absolute path: a bare name would be looked for wherever the system's loader likes.
std::filesystem::path file_of(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!path.empty()) return std::filesystem::absolute(path, ignored);
  return program_module("libnatscope_cuda_bench.so");
}

Unexpected unavailable(std::string message, const char* hint = "run this on a machine with an NVIDIA GPU") {
  return fail(ErrorCode::device_unavailable, std::move(message), hint);
}

}  // namespace

Expected<std::unique_ptr<KernelBench>> KernelBench::open(const std::filesystem::path& path) {
  const std::filesystem::path whole = file_of(path);
  std::error_code ignored;
  if (!std::filesystem::exists(whole, ignored)) {
    return unavailable("this build cannot measure a GPU: " + whole.string() + " is not there",
                       "build with the cuda preset, on a machine with an NVIDIA GPU");
  }
  const auto library = SharedLibrary::open(whole);
  if (!library) return unavailable("the GPU's benchmarks cannot be loaded: " + library.error().message);
  const auto entry = library->function<const kernels::DeviceBenchmarks*()>(kernels::device_benchmarks_entry_point);
  const kernels::DeviceBenchmarks* const table = entry ? (*entry)() : nullptr;
  if (table == nullptr || table->abi_version != kernels::device_benchmarks_abi_version ||
      table->size_bytes != sizeof(kernels::DeviceBenchmarks)) {
    return unavailable(whole.string() + " does not belong to this version of the program",
                       "install program and module of the same release");
  }
  std::unique_ptr<KernelBench> bench(new KernelBench());
  if (const kernels::Status status = table->open(&bench->bench_, &bench->device_); !status.ok()) {
    if (status.code == kernels::StatusCode::out_of_memory) return fail(ErrorCode::out_of_memory, status.detail);
    return unavailable(std::string("no GPU can be used: ") + status.detail);
  }
  bench->table_ = table;
  return bench;
}

KernelBench::~KernelBench() {
  if (table_ != nullptr) table_->close(bench_);
}

Expected<KernelBench::Prepared> KernelBench::prepare(kernels::BenchmarkedKernel kernel,
                                                     const kernels::BenchmarkedAttention& shape) const {
  Prepared made(*this);
  NATSCOPE_CHECK(from_status(table_->prepare(bench_, kernel, &shape, &made.prepared_, &made.held_bytes_), "kernel"));
  return made;
}

KernelBench::Prepared::Prepared(Prepared&& other) noexcept
    : bench_(other.bench_), prepared_(std::exchange(other.prepared_, nullptr)), held_bytes_(other.held_bytes_) {}

KernelBench::Prepared::~Prepared() {
  if (prepared_ != nullptr) bench_->table_->release(prepared_);
}

Expected<double> KernelBench::Prepared::seconds() const {
  double ms = 0;
  NATSCOPE_CHECK(from_status(bench_->table_->run(bench_->bench_, prepared_, &ms), "kernel"));
  return ms / 1e3;
}

}  // namespace natscope::bench
