// SPDX-License-Identifier: GPL-3.0-or-later
// Products of bf16 matrices on this machine's way, held to plain loops in double.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/engine/products/bf16_product.h"

namespace natscope {
namespace {

using kernels::Bf16;

constexpr std::size_t guard = 64;
constexpr std::int64_t beyond = 3;  // numbers between two rows of the output
constexpr float poison = std::numeric_limits<float>::quiet_NaN();

/// Random numbers with NaN before and behind them, so that whoever reads there spoils its result.
class Numbers {
 public:
  Numbers(std::int64_t size, std::uint64_t seed) : all_(static_cast<std::size_t>(size) + 2 * guard) {
    all_.assign(all_.size(), kernels::to_bf16(poison));
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<float> between(-1, 1);
    for (std::size_t i = guard; i < all_.size() - guard; ++i) all_[i] = kernels::to_bf16(between(random));
  }
  [[nodiscard]] const Bf16* data() const { return all_.data() + guard; }
  [[nodiscard]] double operator[](std::int64_t i) const { return kernels::to_float(data()[i]); }

 private:
  std::vector<Bf16> all_;
};

struct Shape {
  std::int64_t n;
  std::int64_t cols;
  std::int64_t rows;
};

void check_product(const Shape& shape, bool add) {
  CAPTURE(shape.n);
  CAPTURE(shape.cols);
  CAPTURE(shape.rows);
  CAPTURE(add);
  const Numbers x(shape.n * shape.cols, 1);
  const Numbers weight(shape.rows * shape.cols, 2);
  const std::int64_t stride = shape.rows + beyond;
  std::vector<float> out(static_cast<std::size_t>(shape.n * stride), poison);
  const auto before = [](std::int64_t i, std::int64_t row) { return static_cast<float>(i - row); };
  if (add) {
    for (std::int64_t i = 0; i < shape.n; ++i) {
      for (std::int64_t row = 0; row < shape.rows; ++row)
        out[static_cast<std::size_t>(i * stride + row)] = before(i, row);
    }
  }
  Bf16Product product;
  product.multiply(x.data(), shape.n, shape.cols, weight.data(), shape.rows, add, out.data(), stride);

  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < shape.n; ++i) {
    for (std::int64_t row = 0; row < stride; ++row) {
      const double found = out[static_cast<std::size_t>(i * stride + row)];
      if (row >= shape.rows) {
        wrong += std::isnan(found) ? 0 : 1;
        continue;
      }
      double sum = add ? before(i, row) : 0;
      double size = std::abs(sum);
      for (std::int64_t k = 0; k < shape.cols; ++k) {
        const double term = x[i * shape.cols + k] * weight[row * shape.cols + k];
        sum += term;
        size += std::abs(term);
      }
      // Sums in f32: an error of a few of its steps, never one of bf16's, which are 2^16 times as large.
      wrong += std::abs(found - sum) <= size * 1e-6 ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("bf16 products are those of plain loops, at the edges of blocks too") {
  constexpr std::array shapes{
      Shape{1, 2, 1},      Shape{2, 8, 3},      Shape{3, 31, 5},    Shape{5, 512, 128},
      Shape{64, 514, 129}, Shape{65, 96, 127},  Shape{63, 640, 16}, Shape{7, 1030, 145},
      Shape{130, 320, 31}, Shape{2, 1536, 257}, Shape{33, 33, 33},  Shape{129, 66, 130},
  };
  for (const Shape& shape : shapes) {
    for (const bool add : {false, true}) check_product(shape, add);
  }
}

TEST_CASE("one object multiplies matrices of any size after each other") {
  Bf16Product product;
  std::vector<float> out(1);
  for (const std::int64_t cols : {1024LL, 2LL, 700LL}) {
    const Numbers x(cols, 3);
    const Numbers weight(cols, 4);
    product.multiply(x.data(), 1, cols, weight.data(), 1, false, out.data(), 1);
    double sum = 0;
    for (std::int64_t k = 0; k < cols; ++k) sum += x[k] * weight[k];
    CHECK(out[0] == doctest::Approx(sum).epsilon(1e-4));
  }
}

}  // namespace
}  // namespace natscope
