// SPDX-License-Identifier: GPL-3.0-or-later
// On a GPU: its module opens and closes, keeps to its memory, and does again what was recorded.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>

#include "tests/core/engine/gpu_arrays.h"

namespace natscope {

using test::Numbers;
using test::OnDevice;
using test::open_gpu_module;
using test::some_numbers;

TEST_CASE("the module opens, copies, and closes with nothing left") {
  for (int round = 0; round < 2; ++round) {
    const auto module = open_gpu_module();
    CHECK(std::strlen(module->description().name) > 0);
    CHECK(module->description().memory_bytes > 0);
    const Numbers numbers = some_numbers(1000, 3);
    CHECK(OnDevice(*module, numbers).read() == numbers);
  }
}

TEST_CASE("more memory than there is is an error, and the device goes on") {
  const auto module = open_gpu_module();
  void* memory = nullptr;
  const auto& table = module->operations();
  CHECK(table.allocate(module->device(), std::int64_t{1} << 50U, &memory).code == kernels::StatusCode::out_of_memory);
  const Numbers numbers = some_numbers(10, 4);
  CHECK(OnDevice(*module, numbers).read() == numbers);
}

TEST_CASE("a recording names the memory that it was made with, and is not done when that has moved") {
  const auto module = open_gpu_module();
  const auto& table = module->operations();
  void* const device = module->device();
  void* cache = nullptr;
  const kernels::KvCacheShape shape{1, 1, 8, kernels::ElementType::f32};
  REQUIRE(table.create_cache(device, &shape, 64, &cache).ok());
  const OnDevice x(*module, {1, 2, 3});
  const OnDevice other(*module, {1, 2, 3});
  REQUIRE(table.swiglu(device, other.data(), other.data(), 3, false).ok());  // done once, so that it can be recorded
  REQUIRE(table.wait(device).ok());
  void* recording = nullptr;
  CHECK_FALSE(table.end_recording(device, &recording).ok());
  REQUIRE(table.begin_recording(device).ok());
  CHECK_FALSE(table.begin_recording(device).ok());
  REQUIRE(table.swiglu(device, x.data(), x.data(), 3, false).ok());
  REQUIRE(table.end_recording(device, &recording).ok());
  CHECK(x.read() == Numbers{1, 2, 3});  // kept, not done
  REQUIRE(table.replay(device, recording).ok());
  const Numbers once = x.read();
  CHECK(once != Numbers{1, 2, 3});
  REQUIRE(table.replay(device, recording).ok());
  CHECK(x.read() != once);
  CHECK(table.is_current(device, recording));
  REQUIRE(table.reset_cache(device, cache, 4, nullptr).ok());
  CHECK_FALSE(table.is_current(device, recording));
  CHECK_FALSE(table.replay(device, recording).ok());
  table.free_recording(device, recording);
  table.free_cache(device, cache);
}

}  // namespace natscope
