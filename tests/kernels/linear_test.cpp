// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/linear.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/shared_work.h"
#include "tests/kernels/error_bound.h"
#include "tests/kernels/guarded_array.h"
#include "tests/kernels/random_arrays.h"
#include "tests/kernels/sequence_backend.h"
#include "tests/support/half_value.h"

using namespace natscope::kernels;
using namespace natscope::test;

namespace {

struct Matrix {
  std::vector<float> numbers;
  std::vector<Bf16> rounded;
  std::vector<F16> halves;
  std::vector<float> bias;
  LinearRow product;
};

Matrix random_matrix(RandomArrays& random, ElementType dtype, std::int64_t rows, std::int64_t cols, bool with_bias) {
  Matrix matrix{random.normal(rows * cols), {}, {}, random.normal(rows), {}};
  if (dtype == ElementType::bf16) {
    matrix.rounded = rounded_to_bf16(matrix.numbers);
    round_to(dtype, matrix.numbers);
    matrix.product.weight = matrix.rounded.data();
  } else if (dtype == ElementType::f16) {
    matrix.halves = finite_f16(random, rows * cols);
    std::ranges::transform(matrix.halves, matrix.numbers.begin(),
                           [](F16 number) { return static_cast<float>(half_value(number.bits)); });
    matrix.product.weight = matrix.halves.data();
  } else {
    matrix.product.weight = matrix.numbers.data();
  }
  matrix.product.dtype = dtype;
  matrix.product.out_size = rows;
  matrix.product.in_size = cols;
  matrix.product.bias = with_bias ? matrix.bias.data() : nullptr;
  return matrix;
}

/// The product with sums in `Sum`: double is the truth, float the plain computation of the same precision.
template <class Sum>
std::vector<Sum> plain_product(const Matrix& matrix, const std::vector<float>& x) {
  std::vector<Sum> out;
  for (std::int64_t row = 0; row < matrix.product.out_size; ++row) {
    Sum sum = matrix.product.bias != nullptr ? static_cast<Sum>(matrix.product.bias[row]) : Sum{0};
    for (std::size_t col = 0; col < x.size(); ++col) {
      sum +=
          static_cast<Sum>(matrix.numbers[static_cast<std::size_t>(row) * x.size() + col]) * static_cast<Sum>(x[col]);
    }
    out.push_back(sum);
  }
  return out;
}

/// Rows that a plain computation's error is taken of, at least: the few of a small product may hit the truth by luck.
constexpr std::int64_t plain_rows = 97;

void check_size(RandomArrays& random, const LinearBackend& backend, ElementType dtype, std::int64_t rows,
                std::int64_t cols) {
  CAPTURE(rows);
  CAPTURE(cols);
  Matrix matrix = random_matrix(random, dtype, std::max(rows, plain_rows), cols, rows % 2 == 1);
  const std::vector<float> x = random.normal(cols);
  const std::vector<double> truth = plain_product<double>(matrix, x);
  const std::vector<float> plain = plain_product<float>(matrix, x);
  const std::span<const double> all(truth);
  const double allowed = allowed_error(largest_error(std::span<const float>(plain), all), largest_magnitude(all));

  GuardedArray out(rows);
  matrix.product.out = out.data();
  matrix.product.out_size = rows;
  REQUIRE(backend.product(x, {&matrix.product, 1}).ok());
  CHECK(largest_error(std::as_const(out).span(), all.first(static_cast<std::size_t>(rows))) <= allowed);
  CHECK(out.guards_hold());
}

}  // namespace

TEST_CASE("a product is right at every size") {
  RandomArrays random(11);
  INFO(random.how_to_repeat());
  for (const LinearBackend& backend : linear_backends()) {
    CAPTURE(backend.name);
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16, ElementType::f16}) {
      if (dtype == ElementType::f16 && !backend.takes_f16) continue;
      for (const std::int64_t rows : {0, 1, 2, 3, 7, 31, 32, 33, 97}) {
        for (const std::int64_t cols : {0, 1, 15, 16, 17, 31, 32, 33, 64, 101, 256, 509, 768}) {
          check_size(random, backend, dtype, rows, cols);
        }
      }
    }
  }
}

TEST_CASE("large matrices go through every thread and give equal bits on any number of them") {
  RandomArrays random(12);
  INFO(random.how_to_repeat());
  const int threads_before = max_threads();
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16, ElementType::f16}) {
    Matrix matrix = random_matrix(random, dtype, 1031, 515, true);
    const std::vector<float> x = random.normal(515);
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3, 5, 2}) {
      set_threads(threads);
      GuardedArray out(1031);
      matrix.product.out = out.data();
      REQUIRE(linear_row(Backend::cpu, x, {&matrix.product, 1}).ok());
      CHECK(out.guards_hold());
      results.emplace_back(out.span().begin(), out.span().end());
      CHECK(std::memcmp(results.back().data(), results.front().data(), 1031 * sizeof(float)) == 0);
    }
  }
  set_threads(threads_before);
}

TEST_CASE("several products of one row, of different sizes and types, equal the same ones alone") {
  RandomArrays random(13);
  INFO(random.how_to_repeat());
  const std::vector<float> x = random.normal(129);
  std::vector<Matrix> matrices;
  std::vector<GuardedArray> together;
  for (const std::int64_t rows : {64, 1, 0, 33, 200}) {
    const auto dtype = static_cast<ElementType>(matrices.size() % 3);
    matrices.push_back(random_matrix(random, dtype, rows, 129, rows == 33));
    together.emplace_back(rows);
  }
  std::vector<LinearRow> products;
  for (std::size_t index = 0; index < matrices.size(); ++index) {
    products.push_back(matrices[index].product);
    products.back().out = together[index].data();
  }
  REQUIRE(linear_row(Backend::cpu, x, products).ok());
  for (std::size_t index = 0; index < matrices.size(); ++index) {
    GuardedArray alone(products[index].out_size);
    matrices[index].product.out = alone.data();
    REQUIRE(linear_row(Backend::cpu, x, {&matrices[index].product, 1}).ok());
    CHECK(std::memcmp(alone.data(), together[index].data(), alone.span().size_bytes()) == 0);
    CHECK(together[index].guards_hold());
  }
  CHECK(linear_row(Backend::cpu, x, {}).ok());
}

TEST_CASE("weights may stand at any address of their own element, and nothing beside them is read") {
  RandomArrays random(14);
  INFO(random.how_to_repeat());
  const std::vector<float> x = random.normal(37);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t offset : {0U, 1U, 3U, 5U}) {
    Matrix matrix = random_matrix(random, ElementType::bf16, 5, 37, false);
    std::vector<Bf16> shifted(matrix.rounded.size() + 64, to_bf16(nan));
    std::copy(matrix.rounded.begin(), matrix.rounded.end(), shifted.begin() + static_cast<std::ptrdiff_t>(offset));
    GuardedArray out(5);
    matrix.product.weight = shifted.data() + offset;
    matrix.product.out = out.data();
    REQUIRE(linear_row(Backend::cpu, x, {&matrix.product, 1}).ok());
    CHECK(out.all_written());
  }
}

TEST_CASE("every f16 is the number that its fields say") {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const F16 number{static_cast<std::uint16_t>(bits)};
    const float found = to_float(number);
    if ((bits & 0x7c00U) != 0x7c00U) {
      REQUIRE(found == half_value(number.bits));
      REQUIRE(std::signbit(found) == ((bits & 0x8000U) != 0));
    } else if ((bits & 0x3ffU) != 0) {
      REQUIRE(std::isnan(found));
    } else {
      REQUIRE(found == ((bits & 0x8000U) != 0 ? -1 : 1) * std::numeric_limits<float>::infinity());
    }
  }
}

TEST_CASE("sizes that do not fit are refused before anything is written") {
  const std::vector<float> x(4, 1.0F);
  std::array<float, 4> weight{};
  GuardedArray out(1);
  LinearRow product{weight.data(), ElementType::f32, 1, 3, nullptr, out.data()};
  CHECK(linear_row(Backend::cpu, x, {&product, 1}).code == StatusCode::shape_mismatch);
  product.in_size = 4;
  product.out_size = -1;
  CHECK(linear_row(Backend::ref, x, {&product, 1}).code == StatusCode::shape_mismatch);
  CHECK_FALSE(out.all_written());
}
