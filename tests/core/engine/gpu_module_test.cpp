// SPDX-License-Identifier: GPL-3.0-or-later
// On a GPU: its module opens and closes, keeps to its memory, and does again what was recorded.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string_view>

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
  const kernels::Status status = table.allocate(module->device(), std::int64_t{1} << 50U, &memory);
  CHECK(status.code == kernels::StatusCode::out_of_memory);
  CHECK(status.detail == std::string_view("the GPU has no memory left"));
  const Numbers numbers = some_numbers(10, 4);
  CHECK(OnDevice(*module, numbers).read() == numbers);
}

TEST_CASE("a recording names the memory that it was made with, and is not done when that has moved") {
  const auto module = open_gpu_module();
  const auto& table = module->operations();
  kernels::OpenedDevice* const device = module->device();
  kernels::DeviceCache* cache = nullptr;
  const kernels::KvCacheShape shape{1, 1, 8, kernels::ElementType::f32};
  REQUIRE(table.create_cache(device, &shape, 64, &cache).ok());
  const OnDevice x(*module, {1, 2, 3});
  const OnDevice other(*module, {1, 2, 3});
  REQUIRE(table.swiglu(device, other.data(), other.data(), 3, false).ok());  // done once, so that it can be recorded
  REQUIRE(table.wait(device).ok());
  kernels::DeviceRecording* recording = nullptr;
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

TEST_CASE("what is put aside is recorded with the rest, and joined") {
  const auto module = open_gpu_module();
  const auto& table = module->operations();
  kernels::OpenedDevice* const device = module->device();
  constexpr std::int64_t size = 256, rows = 8;
  const OnDevice x(*module, some_numbers(size, 5)), weight(*module, some_numbers(rows * size, 6));
  const OnDevice sum(*module, Numbers(rows, 0.0F)), aside(*module, {1, 2, 3});
  kernels::TokenProducts call;
  call.x = x.data();
  call.count = 1;
  call.into = kernels::TokenProducts::Into::sum;
  call.products[0] = {weight.data(), kernels::ElementType::f32, rows, size, nullptr, sum.data()};
  const auto put = [&] {
    REQUIRE(table.token_products(device, &call).ok());
    REQUIRE(table.begin_aside(device).ok());
    REQUIRE(table.swiglu(device, aside.data(), aside.data(), 3, false).ok());
    REQUIRE(table.end_aside(device).ok());
    REQUIRE(table.token_products(device, &call).ok());  // may begin before the one ahead of the fork has ended
    REQUIRE(table.join_aside(device).ok());
  };
  put();
  const Numbers added_twice = sum.read(), gated_once = aside.read();
  CHECK(added_twice != Numbers(rows, 0.0F));
  kernels::DeviceRecording* recording = nullptr;
  REQUIRE(table.begin_recording(device).ok());
  put();
  REQUIRE(table.end_recording(device, &recording).ok());
  CHECK(sum.read() == added_twice);
  CHECK(aside.read() == gated_once);
  REQUIRE(table.replay(device, recording).ok());
  const Numbers added_again = sum.read();
  for (std::size_t i = 0; i < added_again.size(); ++i)
    CHECK(added_again[i] == doctest::Approx(2 * added_twice[i]).epsilon(1e-5));
  CHECK(aside.read() != gated_once);
  table.free_recording(device, recording);
}

}  // namespace natscope
