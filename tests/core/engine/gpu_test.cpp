// SPDX-License-Identifier: GPL-3.0-or-later
// On a GPU: the module's table, its products and small kernels held to plain loops in double, and the engine held to
// itself on the CPU.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "core/base/resource_path.h"
#include "core/engine/device_module.h"
#include "core/engine/engine.h"

namespace natscope {
namespace {

using Numbers = std::vector<float>;

const std::filesystem::path the_module = NATSCOPE_CUDA_MODULE;

Numbers some_numbers(std::int64_t size, std::uint64_t seed) {
  Numbers numbers(static_cast<std::size_t>(size));
  for (float& number : numbers) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    number = static_cast<float>(static_cast<double>(seed >> 11U) * 0x1p-52 - 1);
  }
  return numbers;
}

std::unique_ptr<DeviceModule> opened() {
  auto module = DeviceModule::open(the_module);
  REQUIRE_MESSAGE(module, (module ? "" : module.error().message));
  return std::move(*module);
}

/// A NaN-poisoned guard stands behind what is uploaded.
class OnDevice {
 public:
  OnDevice(const DeviceModule& module, const Numbers& numbers)
      : module_(module), array_(module), size_(numbers.size()) {
    Numbers guarded = numbers;
    guarded.resize(size_ + guard, std::nanf(""));
    REQUIRE(array_.upload(guarded.data(), static_cast<std::int64_t>(guarded.size() * sizeof(float))));
  }
  [[nodiscard]] float* data() const { return array_.as(); }
  [[nodiscard]] Numbers read() const {
    Numbers numbers(size_ + guard);
    const auto& table = module_.operations();
    REQUIRE(table
                .download(module_.device(), numbers.data(), data(),
                          static_cast<std::int64_t>(numbers.size() * sizeof(float)))
                .ok());
    REQUIRE(table.wait(module_.device()).ok());
    for (std::size_t i = size_; i < numbers.size(); ++i) REQUIRE(std::isnan(numbers[i]));
    numbers.resize(size_);
    return numbers;
  }

 private:
  static constexpr std::size_t guard = 64;
  const DeviceModule& module_;
  DeviceArray array_;
  std::size_t size_;
};

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

/// Both runs have to give equal bits.
Numbers twice(const std::function<Numbers()>& once) {
  const Numbers first = once();
  const Numbers second = once();
  CHECK(std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0);
  return first;
}

constexpr std::int64_t sizes[] = {1, 31, 32, 33, 127, 768};

}  // namespace

TEST_CASE("the module opens, copies, and closes with nothing left") {
  for (int round = 0; round < 2; ++round) {
    const auto module = opened();
    CHECK(std::strlen(module->description().name) > 0);
    CHECK(module->description().memory_bytes > 0);
    const Numbers numbers = some_numbers(1000, 3);
    CHECK(OnDevice(*module, numbers).read() == numbers);
  }
}

TEST_CASE("more memory than there is is an error, and the device goes on") {
  const auto module = opened();
  void* memory = nullptr;
  const auto& table = module->operations();
  CHECK(table.allocate(module->device(), std::int64_t{1} << 50U, &memory).code == kernels::StatusCode::out_of_memory);
  const Numbers numbers = some_numbers(10, 4);
  CHECK(OnDevice(*module, numbers).read() == numbers);
}

TEST_CASE("products of rows, f32 and bf16 weights, with and without bias") {
  const auto module = opened();
  for (const std::int64_t rows : {1, 2, 17}) {
    for (const std::int64_t in : sizes) {
      for (const std::int64_t out : sizes) {
        for (const bool narrow : {false, true}) {
          CAPTURE(rows);
          CAPTURE(in);
          CAPTURE(out);
          CAPTURE(narrow);
          const Numbers x = some_numbers(rows * in, 5);
          const Numbers bias = some_numbers(out, 6);
          const Numbers before = some_numbers(rows * out, 7);
          Numbers weights = some_numbers(out * in, 8);
          std::vector<kernels::Bf16> halves;
          if (narrow) {
            for (float& number : weights) {
              halves.push_back(kernels::to_bf16(number));
              number = kernels::to_float(halves.back());
            }
          }
          DeviceArray stored(*module);
          const void* const from = narrow ? static_cast<const void*>(halves.data()) : weights.data();
          REQUIRE(stored.upload(from, out * in * (narrow ? 2 : 4)));
          const OnDevice device_x(*module, x);
          const OnDevice device_bias(*module, bias);
          for (const bool add : {false, true}) {
            std::vector<double> truth;
            for (std::int64_t row = 0; row < rows; ++row) {
              for (std::int64_t n = 0; n < out; ++n) {
                double sum = static_cast<double>(bias[static_cast<std::size_t>(n)]) +
                             (add ? static_cast<double>(before[static_cast<std::size_t>(row * out + n)]) : 0.0);
                for (std::int64_t i = 0; i < in; ++i) {
                  sum += static_cast<double>(x[static_cast<std::size_t>(row * in + i)]) *
                         static_cast<double>(weights[static_cast<std::size_t>(n * in + i)]);
                }
                truth.push_back(sum);
              }
            }
            const Numbers found = twice([&] {
              const OnDevice result(*module, before);
              kernels::LinearRow product{stored.as<void>(),
                                         narrow ? kernels::ElementType::bf16 : kernels::ElementType::f32,
                                         out,
                                         in,
                                         device_bias.data(),
                                         result.data()};
              REQUIRE(module->operations().linear(module->device(), device_x.data(), rows, &product, add).ok());
              return result.read();
            });
            check_close(found, truth, 1e-5);
          }
        }
      }
    }
  }
}

TEST_CASE("norms, gates, rotation and rounding") {
  const auto module = opened();
  const auto& table = module->operations();
  void* const device = module->device();
  constexpr float eps = 1e-5F;
  for (const std::int64_t cols : sizes) {
    CAPTURE(cols);
    constexpr std::int64_t rows = 5;
    const Numbers x = some_numbers(rows * cols, 11);
    const Numbers up = some_numbers(rows * cols, 12);
    const Numbers weight = some_numbers(cols, 13);
    std::vector<double> normed;
    std::vector<double> gated;
    std::vector<double> rounded;
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* const from = x.data() + row * cols;
      double squares = 0;
      for (std::int64_t i = 0; i < cols; ++i) squares += static_cast<double>(from[i]) * static_cast<double>(from[i]);
      const double factor = 1 / std::sqrt(squares / static_cast<double>(cols) + static_cast<double>(eps));
      for (std::int64_t i = 0; i < cols; ++i) {
        const double number = static_cast<double>(from[i]);
        normed.push_back(number * factor * static_cast<double>(weight[static_cast<std::size_t>(i)]));
        gated.push_back(number / (1 + std::exp(-number)) *
                        static_cast<double>(up[static_cast<std::size_t>(row * cols + i)]));
        rounded.push_back(static_cast<double>(kernels::to_float(kernels::to_bf16(from[i]))));
      }
    }
    const OnDevice device_up(*module, up);
    const OnDevice device_weight(*module, weight);
    const auto changed = [&](const std::function<kernels::Status(float*)>& change) {
      return twice([&] {
        const OnDevice in_place(*module, x);
        REQUIRE(change(in_place.data()).ok());
        return in_place.read();
      });
    };
    check_close(changed([&](float* data) {
                  return table.rms_norm(device, data, device_weight.data(), rows, cols, eps, false, data);
                }),
                normed, 1e-6);
    check_close(changed([&](float* data) { return table.swiglu(device, data, device_up.data(), rows * cols, false); }),
                gated, 1e-6);
    check_close(changed([&](float* data) { return table.round_to_bf16(device, data, rows * cols); }), rounded, 0);
  }
  for (const std::int64_t head_dim : {2, 64, 128}) {
    CAPTURE(head_dim);
    constexpr std::int64_t rows = 3;
    constexpr std::int64_t heads = 5;
    const std::int64_t half = head_dim / 2;
    const Numbers x = some_numbers(rows * heads * head_dim, 14);
    const Numbers cosine = some_numbers(rows * half, 15);
    const Numbers sine = some_numbers(rows * half, 16);
    std::vector<double> truth(x.begin(), x.end());
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t head = 0; head < heads; ++head) {
        for (std::int64_t i = 0; i < half; ++i) {
          const auto low = static_cast<std::size_t>((row * heads + head) * head_dim + i);
          const auto high = low + static_cast<std::size_t>(half);
          const auto c = static_cast<double>(cosine[static_cast<std::size_t>(row * half + i)]);
          const auto s = static_cast<double>(sine[static_cast<std::size_t>(row * half + i)]);
          truth[low] = static_cast<double>(x[low]) * c - static_cast<double>(x[high]) * s;
          truth[high] = static_cast<double>(x[high]) * c + static_cast<double>(x[low]) * s;
        }
      }
    }
    const OnDevice device_cosine(*module, cosine);
    const OnDevice device_sine(*module, sine);
    check_close(twice([&] {
                  const OnDevice in_place(*module, x);
                  REQUIRE(table
                              .turn_heads(device, in_place.data(), nullptr, device_cosine.data(), device_sine.data(),
                                          rows, heads, head_dim, eps, false)
                              .ok());
                  return in_place.read();
                }),
                truth, 1e-6);
  }
}

TEST_CASE("512 greedy tokens of the demo are the CPU's, in f32") {
  GenerateOptions options;
  options.max_new_tokens = 512;
  options.sampling.greedy = true;
  std::vector<std::int32_t> found[2];
  std::int64_t entries[2] = {};
  for (const Device device : {Device::cpu, Device::cuda}) {
    auto engine = Engine::open({.model = resource_path("demo"),
                                .device = device,
                                .dtype = kernels::ElementType::f32,
                                .device_module = the_module},
                               {});
    REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message));
    REQUIRE((*engine)->device() == device);
    const auto tokens = (*engine)->tokenize("Alice was beginning to get very tired of sitting by her sister");
    REQUIRE(tokens);
    REQUIRE((*engine)->start({}));
    REQUIRE((*engine)->prefill(*tokens, {}, {}));
    const auto result = (*engine)->generate(options, {});
    REQUIRE(result);
    const std::size_t which = device == Device::cpu ? 0 : 1;
    found[which] = result->tokens;
    entries[which] = (*engine)->counts().entries;
  }
  CHECK(found[0].size() > 64);
  CHECK(found[1] == found[0]);
  CHECK(entries[1] == entries[0]);
}

}  // namespace natscope
