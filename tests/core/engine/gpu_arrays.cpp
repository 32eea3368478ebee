// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/engine/gpu_arrays.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace natscope::test {

namespace {

constexpr std::size_t guard = 64;

}  // namespace

std::unique_ptr<DeviceModule> open_gpu_module() {
  auto module = DeviceModule::open(gpu_module);
  REQUIRE_MESSAGE(module, (module ? "" : module.error().message));
  return std::move(*module);
}

Numbers some_numbers(std::int64_t size, std::uint64_t seed) {
  Numbers numbers(static_cast<std::size_t>(size));
  for (float& number : numbers) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    number = static_cast<float>(static_cast<double>(seed >> 11U) * 0x1p-52 - 1);
  }
  return numbers;
}

OnDevice::OnDevice(const DeviceModule& module, const Numbers& numbers)
    : module_(module), array_(module), size_(numbers.size()) {
  Numbers guarded = numbers;
  guarded.resize(size_ + guard, std::nanf(""));
  REQUIRE(array_.upload(guarded.data(), static_cast<std::int64_t>(guarded.size() * sizeof(float))));
}

Numbers OnDevice::read() const {
  Numbers numbers(size_ + guard);
  const auto& table = module_.operations();
  const auto bytes = static_cast<std::int64_t>(numbers.size() * sizeof(float));
  REQUIRE(table.download(module_.device(), numbers.data(), data(), bytes).ok());
  REQUIRE(table.wait(module_.device()).ok());
  for (std::size_t i = size_; i < numbers.size(); ++i) REQUIRE(std::isnan(numbers[i]));
  numbers.resize(size_);
  return numbers;
}

void check_close(const Numbers& found, const std::vector<double>& truth, double tolerance) {
  REQUIRE(found.size() == truth.size());
  double largest = 0;
  double scale = 1e-30;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double apart = std::abs(static_cast<double>(found[i]) - truth[i]);
    if (!(apart <= largest)) largest = apart;  // NaN counts
    scale = std::max(scale, std::abs(truth[i]));
  }
  CHECK(largest / scale <= tolerance);
}

Numbers twice(const std::function<Numbers()>& once) {
  const Numbers first = once();
  const Numbers second = once();
  CHECK(std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0);
  return first;
}

}  // namespace natscope::test
