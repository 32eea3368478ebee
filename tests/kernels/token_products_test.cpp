// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/token_products.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/device_call.h"
#include "tests/kernels/random_arrays.h"
#include "tests/kernels/sequence_backend.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

namespace {

struct Weights {
  std::vector<float> numbers;
  std::vector<Bf16> rounded;
  std::vector<float> bias;
  std::int64_t rows = 0;
};

/// Products of one row, as a call's and in double.
struct TokenCase {
  std::int64_t in_size = 0;
  ElementType dtype = ElementType::bf16;
  bool norm = false;
  TokenProducts::Into into = TokenProducts::Into::out;
  std::vector<float> x, norm_weight;
  std::vector<Weights> products;
  std::vector<std::vector<float>> out;

  TokenCase(RandomArrays& random, std::int64_t columns, const std::vector<std::int64_t>& rows, ElementType type,
            bool normed, TokenProducts::Into where, bool biased)
      : in_size(columns), dtype(type), norm(normed), into(where), x(random.normal(columns)) {
    norm_weight = random.normal(columns);
    for (const std::int64_t count : rows) {
      Weights made{random.normal(count * columns), {}, biased ? random.normal(count) : std::vector<float>{}, count};
      if (type == ElementType::bf16) {
        made.rounded = rounded_to_bf16(made.numbers);
        round_to(type, made.numbers);
      }
      products.push_back(made);
      out.push_back(random.normal(count));
    }
  }

  [[nodiscard]] Status run(std::vector<std::vector<float>>& results) {
    const Status status = run_twice_on_device([&](DeviceCall& call) {
      TokenProducts given;
      given.x = call.in(std::span<const float>(x)).data();
      given.norm = norm ? call.in(std::span<const float>(norm_weight)).data() : nullptr;
      given.eps = 1e-5F;
      given.into = into;
      for (std::size_t index = 0; index < products.size(); ++index) {
        const Weights& of = products[index];
        LinearRow& product = given.products[given.count++];
        product.dtype = dtype;
        product.in_size = in_size;
        product.out_size = of.rows;
        product.weight = dtype == ElementType::bf16 ? call.in(of.rounded.data(), of.rows * in_size * 2)
                                                    : call.in(of.numbers.data(), of.rows * in_size * 4);
        product.bias = of.bias.empty() ? nullptr : call.in(std::span<const float>(of.bias)).data();
        product.out = call.out(std::span<float>(results[index])).data();
      }
      return cuda::token_products(given, nullptr);
    });
    return status;
  }

  void check() {
    CAPTURE(in_size);
    CAPTURE(static_cast<int>(dtype));
    CAPTURE(norm);
    CAPTURE(static_cast<int>(into));
    std::vector<std::vector<float>> results = out;
    REQUIRE(run(results).ok());
    double squares = 0;
    for (const float number : x) squares += double{number} * double{number};
    const double scale = norm ? 1 / std::sqrt(squares / static_cast<double>(in_size) + 1e-5) : 1;
    const auto product = [&](const Weights& of, std::int64_t row, double& size) {
      double sum = of.bias.empty() ? 0 : of.bias[static_cast<std::size_t>(row)];
      for (std::int64_t column = 0; column < in_size; ++column) {
        const auto at = static_cast<std::size_t>(column);
        const double term = double{of.numbers[static_cast<std::size_t>(row * in_size + column)]} * double{x[at]} *
                            scale * (norm ? double{norm_weight[at]} : 1);
        sum += term;
        size += term * term;
      }
      return sum;
    };
    for (std::size_t index = 0; index < (into == TokenProducts::Into::gate ? 1 : products.size()); ++index) {
      double worst = 0;
      for (std::int64_t row = 0; row < products[index].rows; ++row) {
        const auto at = static_cast<std::size_t>(row);
        double size = 1e-30;
        double wanted = product(products[index], row, size);
        if (into == TokenProducts::Into::gate) {
          const double up = product(products[1], row, size);
          size *= 1 + up * up;
          wanted = wanted / (1 + std::exp(-wanted)) * up;
        }
        if (into == TokenProducts::Into::sum) wanted += double{out[index][at]};
        worst = std::max(worst, std::abs(double{results[index][at]} - wanted) / (1 + std::sqrt(size)));
      }
      CHECK(worst < 2e-5);
    }
  }
};

}  // namespace

TEST_CASE("a step's products are right for rows of every length") {
  RandomArrays random(41);
  INFO(random.how_to_repeat());
  using Into = TokenProducts::Into;
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    for (const std::int64_t in_size : {1, 8, 67, 256, 260, 768, 1024, 2048, 2051, 4096, 5120, 9000}) {
      for (const bool norm : {false, true}) {
        TokenCase(random, in_size, {5, 3, 1, 6}, dtype, norm, Into::out, norm).check();
        TokenCase(random, in_size, {7}, dtype, norm, Into::sum, !norm).check();
        TokenCase(random, in_size, {9, 9}, dtype, norm, Into::gate, false).check();
      }
    }
  }
  TokenCase(random, 14336, {37}, ElementType::bf16, false, Into::sum, false).check();
  TokenCase(random, 28672, {5}, ElementType::bf16, true, Into::out, true).check();
}

TEST_CASE("more rows of a step than all blocks take at once") {
  RandomArrays random(42);
  INFO(random.how_to_repeat());
  for (const std::int64_t in_size : {64, 768, 2048}) {
    TokenCase(random, in_size, {640, 0, 203}, ElementType::bf16, true, TokenProducts::Into::out, false).check();
    TokenCase(random, in_size, {300, 300}, ElementType::bf16, true, TokenProducts::Into::gate, true).check();
  }
}
