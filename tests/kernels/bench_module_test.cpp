// SPDX-License-Identifier: GPL-3.0-or-later
// What `bench gpu` loads: every kernel is prepared, run and released at small shapes, so that a session on a GPU does
// not end in its first row. Times are looked at for being there only.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/device_benchmarks.h"

namespace natscope::test {

namespace {

using namespace kernels;

const DeviceBenchmarks& table() {
  static const DeviceBenchmarks* const found = [] {
    void* const library = dlopen(NATSCOPE_BENCH_MODULE, RTLD_NOW | RTLD_LOCAL);
    REQUIRE_MESSAGE(library != nullptr, dlerror());
    using Entry = const DeviceBenchmarks* (*)();
    const auto entry = reinterpret_cast<Entry>(dlsym(library, device_benchmarks_entry_point));
    REQUIRE((entry != nullptr));
    return entry();
  }();
  return *found;
}

class Bench {
 public:
  Bench() {
    const Status status = table().open(&bench_, &device);
    REQUIRE_MESSAGE(status.ok(), status.detail);
  }
  ~Bench() { table().close(bench_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  [[nodiscard]] OpenedBench* get() const { return bench_; }

  BenchmarkedDevice device;

 private:
  OpenedBench* bench_ = nullptr;
};

constexpr BenchmarkedKernel attention_kernels[] = {
    BenchmarkedKernel::attention_decode, BenchmarkedKernel::attention_prefill, BenchmarkedKernel::attention_backward};

void run_all(const Bench& bench, BenchmarkedKernel kernel, const BenchmarkedAttention& shape,
             std::int64_t expected_bytes) {
  PreparedKernel* prepared = nullptr;
  std::int64_t held_bytes = -1;
  const Status status = table().prepare(bench.get(), kernel, &shape, &prepared, &held_bytes);
  REQUIRE_MESSAGE(status.ok(), status.detail);
  if (expected_bytes >= 0) CHECK(held_bytes == expected_bytes);
  for (int repeat = 0; repeat < 3; ++repeat) {
    double ms = -1;
    const Status ran = table().run(bench.get(), prepared, &ms);
    REQUIRE_MESSAGE(ran.ok(), ran.detail);
    CHECK(ms > 0);
  }
  table().release(prepared);
}

}  // namespace

TEST_CASE("the table is this version's, and the device has a name") {
  CHECK(table().abi_version == device_benchmarks_abi_version);
  CHECK(table().size_bytes == sizeof(DeviceBenchmarks));
  const Bench bench;
  CHECK(std::strlen(bench.device.name) > 0);
  CHECK(bench.device.memory_bytes > 0);
}

TEST_CASE("every kernel runs, dense and with roles") {
  const Bench bench;
  run_all(bench, BenchmarkedKernel::read_memory, {.tokens = 1 << 16}, 1 << 16);
  for (const std::int64_t head_dim : {64, 128}) {
    BenchmarkedAttention shape{.heads = 4, .kv_heads = 2, .head_dim = head_dim, .tokens = 301};
    const std::int64_t row_bytes = 2 * head_dim * 2;
    run_all(bench, BenchmarkedKernel::attention_decode, shape, shape.kv_heads * shape.tokens * row_bytes);
    run_all(bench, BenchmarkedKernel::attention_prefill, shape, -1);
    run_all(bench, BenchmarkedKernel::attention_backward, shape, -1);

    // One head keeps all, the other one a token in six; what slides is gone after 8 tokens.
    std::vector<Role> roles(static_cast<std::size_t>(shape.kv_heads * shape.tokens), Role::global);
    std::int64_t kept = shape.tokens;
    for (std::int64_t n = 0; n < shape.tokens; ++n) {
      const bool stays = n % 6 == 0;
      if (!stays) roles[static_cast<std::size_t>(shape.tokens + n)] = Role::sliding;
      kept += stays || n >= shape.tokens - 8 ? 1 : 0;
    }
    shape.roles = roles.data();
    shape.window = 8;
    for (const BenchmarkedKernel kernel : attention_kernels)
      run_all(bench, kernel, shape, kernel == BenchmarkedKernel::attention_decode ? kept * row_bytes : -1);
  }
}

TEST_CASE("what cannot be is an error, and the next one runs") {
  const Bench bench;
  PreparedKernel* prepared = nullptr;
  BenchmarkedAttention shape{.tokens = std::int64_t{1} << 50U};
  CHECK(table().prepare(bench.get(), BenchmarkedKernel::read_memory, &shape, &prepared, nullptr).code ==
        StatusCode::out_of_memory);
  CHECK(table().prepare(bench.get(), static_cast<BenchmarkedKernel>(99), &shape, &prepared, nullptr).code ==
        StatusCode::invalid_argument);
  shape = {.heads = 2, .kv_heads = 2, .head_dim = 300, .tokens = 10};
  for (const BenchmarkedKernel kernel : attention_kernels)
    CHECK_FALSE(table().prepare(bench.get(), kernel, &shape, &prepared, nullptr).ok());
  run_all(bench, BenchmarkedKernel::read_memory, {.tokens = 4096}, 4096);
}

}  // namespace natscope::test
