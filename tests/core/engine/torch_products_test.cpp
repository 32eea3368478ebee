// SPDX-License-Identifier: GPL-3.0-or-later
// Products of many rows through LibTorch on a device of ordinary memory, held to plain loops in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/engine/products/torch_products.h"
#include "tests/core/engine/modules/host_device.h"

namespace natscope {
namespace {

using kernels::Bf16;
using kernels::ElementType;
using kernels::LinearRow;
using Numbers = std::vector<float>;

constexpr std::size_t guard = 64;
constexpr float poison = std::numeric_limits<float>::quiet_NaN();

std::unique_ptr<DeviceModule> host_device() {
  auto module = DeviceModule::open(test::host_device_module);
  REQUIRE_MESSAGE(module, (module ? "" : module.error().message));
  return std::move(*module);
}

Numbers some_numbers(std::int64_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> between(-1, 1);
  Numbers numbers(static_cast<std::size_t>(size));
  for (float& number : numbers) number = between(random);
  return numbers;
}

float rounded(float number) { return kernels::to_float(kernels::to_bf16(number)); }

/// Numbers with NaN before and behind them, so that whoever reads there spoils its result, and whoever writes is seen.
class Guarded {
 public:
  explicit Guarded(const Numbers& numbers) : all_(guard, poison) {
    all_.insert(all_.end(), numbers.begin(), numbers.end());
    all_.resize(numbers.size() + 2 * guard, poison);
  }
  [[nodiscard]] float* data() { return all_.data() + guard; }
  [[nodiscard]] Numbers read() const {
    for (std::size_t i = 0; i < guard; ++i) {
      REQUIRE(std::isnan(all_[i]));
      REQUIRE(std::isnan(all_[all_.size() - 1 - i]));
    }
    return {all_.begin() + guard, all_.end() - guard};
  }

 private:
  Numbers all_;
};

/// Weights of either type; between bf16 ones' guards.
struct Weights {
  Weights(std::int64_t out, std::int64_t in, ElementType dtype, std::uint64_t seed) : type(dtype) {
    numbers = some_numbers(out * in, seed);
    wide.assign(guard, poison);
    narrow.assign(guard, kernels::to_bf16(poison));
    for (float& number : numbers) {
      if (type == ElementType::bf16) number = rounded(number);
      wide.push_back(number);
      narrow.push_back(kernels::to_bf16(number));
    }
    wide.resize(wide.size() + guard, poison);
    narrow.resize(narrow.size() + guard, kernels::to_bf16(poison));
  }
  [[nodiscard]] const void* data() const {
    return type == ElementType::f32 ? static_cast<const void*>(wide.data() + guard) : narrow.data() + guard;
  }

  ElementType type;
  Numbers numbers;  // what is stored
  Numbers wide;
  std::vector<Bf16> narrow;
};

/// The product in double, and the largest sum of its terms' magnitudes: what rounding errors are measured by.
struct Truth {
  std::vector<double> numbers;
  double magnitude = 0;
};

Truth truth(const Numbers& x, const Numbers& weights, const Numbers& bias, const Numbers& before, std::int64_t rows,
            std::int64_t out, std::int64_t in) {
  Truth result;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t n = 0; n < out; ++n) {
      double sum = 0;
      double magnitude = 0;
      const auto add = [&](double term) {
        sum += term;
        magnitude += std::abs(term);
      };
      if (!before.empty()) add(static_cast<double>(before[static_cast<std::size_t>(row * out + n)]));
      if (!bias.empty()) add(static_cast<double>(bias[static_cast<std::size_t>(n)]));
      for (std::int64_t i = 0; i < in; ++i) {
        add(static_cast<double>(x[static_cast<std::size_t>(row * in + i)]) *
            static_cast<double>(weights[static_cast<std::size_t>(n * in + i)]));
      }
      result.numbers.push_back(sum);
      result.magnitude = std::max(result.magnitude, magnitude);
    }
  }
  return result;
}

/// To sums in f32: nothing on the way may be rounded to bf16.
void check_close(const Numbers& found, const Truth& truth) {
  REQUIRE(found.size() == truth.numbers.size());
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double apart = std::abs(static_cast<double>(found[i]) - truth.numbers[i]);
    if (!(apart <= largest)) largest = apart;  // NaN counts
  }
  CHECK(largest <= 1e-6 * truth.magnitude);
}

struct Kind {
  ElementType engine;
  ElementType weights;
};
constexpr Kind kinds[] = {{ElementType::f32, ElementType::f32},
                          {ElementType::f32, ElementType::bf16},
                          {ElementType::bf16, ElementType::bf16}};

}  // namespace

TEST_CASE("products of many rows: types, sizes, biases, added or not, and nothing outside is touched") {
  const auto module = host_device();
  for (const Kind kind : kinds) {
    const auto products = TorchProducts::open(*module, kind.engine);
    REQUIRE(products);
    for (const std::int64_t rows : {1, 15, 16, 17, 131}) {
      for (const std::int64_t in : {1, 31, 32, 257}) {
        for (const std::int64_t out : {1, 33, 64}) {
          for (const bool with_bias : {false, true}) {
            for (const bool add : {false, true}) {
              CAPTURE(rows);
              CAPTURE(in);
              CAPTURE(out);
              CAPTURE(with_bias);
              CAPTURE(add);
              CAPTURE(kernels::element_bytes(kind.engine));
              CAPTURE(kernels::element_bytes(kind.weights));
              Numbers x = some_numbers(rows * in, 1);
              if (kind.engine == ElementType::bf16) {
                for (float& number : x) number = rounded(number);
              }
              const Weights weights(out, in, kind.weights, 2);
              const Numbers bias = with_bias ? some_numbers(out, 3) : Numbers();
              const Numbers before = add ? some_numbers(rows * out, 4) : Numbers();
              Guarded device_x(x);
              Guarded device_bias(bias);
              Guarded result(add ? before : Numbers(static_cast<std::size_t>(rows * out), poison));
              const LinearRow product{weights.data(), kind.weights, out, in, with_bias ? device_bias.data() : nullptr,
                                      result.data()};
              REQUIRE((*products)->run(device_x.data(), rows, {&product, 1}, add));
              check_close(result.read(), truth(x, weights.numbers, bias, before, rows, out, in));
              CHECK(device_x.read() == x);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("several products read the same rows, of weights of both types") {
  const auto module = host_device();
  constexpr std::int64_t rows = 19;
  constexpr std::int64_t in = 48;
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const auto opened = TorchProducts::open(*module, dtype);
    REQUIRE(opened);
    Numbers x = some_numbers(rows * in, 5);
    for (float& number : x) number = rounded(number);
    const Weights first(40, in, ElementType::bf16, 6);
    const Weights second(7, in, ElementType::f32, 7);
    const Weights third(1, in, ElementType::bf16, 8);
    std::vector<Guarded> results;
    std::vector<LinearRow> products;
    for (const Weights* weights : {&first, &second, &third}) {
      results.emplace_back(Numbers(weights->numbers.size() / in * rows, poison));
      products.push_back({weights->data(), weights->type, static_cast<std::int64_t>(weights->numbers.size()) / in, in});
    }
    for (std::size_t i = 0; i < products.size(); ++i) products[i].out = results[i].data();
    REQUIRE((*opened)->run(x.data(), rows, products, false));
    check_close(results[0].read(), truth(x, first.numbers, {}, {}, rows, 40, in));
    check_close(results[1].read(), truth(x, second.numbers, {}, {}, rows, 7, in));
    check_close(results[2].read(), truth(x, third.numbers, {}, {}, rows, 1, in));
  }
}

TEST_CASE("a bf16 engine's product rounds its rows, an f32 engine's does not") {
  const auto module = host_device();
  const Numbers x(16, 1 + 0x1p-9F);  // 1 in bf16
  const Weights one(1, 1, ElementType::bf16, 9);
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const auto opened = TorchProducts::open(*module, dtype);
    REQUIRE(opened);
    Numbers out(16, poison);
    const LinearRow product{one.data(), ElementType::bf16, 1, 1, nullptr, out.data()};
    REQUIRE((*opened)->run(x.data(), 16, {&product, 1}, false));
    for (const float number : out) CHECK(number == one.numbers[0] * (dtype == ElementType::f32 ? x[0] : 1.0F));
  }
}

TEST_CASE("weights that are widened in more than one piece come out the same") {
  const auto module = host_device();
  constexpr std::int64_t in = 4096;
  constexpr std::int64_t out = 4200;  // 64 MiB in f32 hold 4096
  const auto opened = TorchProducts::open(*module, ElementType::f32);
  REQUIRE(opened);
  std::vector<Bf16> weights(static_cast<std::size_t>(in * out));
  for (std::int64_t n = 0; n < out; ++n) {
    weights[static_cast<std::size_t>(n * in + n % in)] = kernels::to_bf16(static_cast<float>(n % 251));
  }
  const Numbers x(static_cast<std::size_t>(2 * in), 1);
  for (const bool add : {false, true}) {
    Numbers result(static_cast<std::size_t>(2 * out), add ? 1000.0F : poison);
    const LinearRow product{weights.data(), ElementType::bf16, out, in, nullptr, result.data()};
    REQUIRE((*opened)->run(x.data(), 2, {&product, 1}, add));
    for (std::int64_t i = 0; i < 2 * out; ++i) {
      REQUIRE(result[static_cast<std::size_t>(i)] == static_cast<float>(i % out % 251) + (add ? 1000.0F : 0.0F));
    }
  }
}

}  // namespace natscope
