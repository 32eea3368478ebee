// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/bf16_product.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>

using namespace natscope::train;

DOCTEST_TEST_CASE("bf16 products are those of the rounded numbers, summed in f32 and rounded once") {
  at::manual_seed(4);
  for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{1, 1, 1}, {31, 33, 32}, {7, 2500, 5}, {1025, 3, 1031}}) {
    DOCTEST_CAPTURE(m);
    DOCTEST_CAPTURE(k);
    for (const bool turned : {false, true}) {
      const at::Tensor a = (turned ? at::randn({k, m}).t() : at::randn({m, k})).to(at::kBFloat16);
      const at::Tensor b = (turned ? at::randn({n, k}).t() : at::randn({k, n})).to(at::kBFloat16);
      const at::Tensor truth = at::mm(a.to(at::kDouble), b.to(at::kDouble));
      const double largest = truth.abs().max().item<double>();
      for (auto* const multiply : {multiply_widened, multiply_bf16}) {
        at::Tensor out = at::full({m, n}, std::numeric_limits<float>::quiet_NaN()).to(at::kBFloat16);
        multiply(out, a, b);
        // Half a unit in the last place of what is rounded, and what f32 sums are off by.
        const at::Tensor allowed = truth.abs() * 0x1p-8 + largest * 1e-5;
        DOCTEST_CHECK(((out.to(at::kDouble) - truth).abs() <= allowed).all().item<bool>());
      }
    }
  }
}

DOCTEST_TEST_CASE("a product of no rows, or of nothing to sum") {
  at::Tensor none = at::full({0, 4}, 1.0).to(at::kBFloat16);
  multiply_widened(none, at::randn({0, 3}).to(at::kBFloat16), at::randn({3, 4}).to(at::kBFloat16));
  at::Tensor zeros = at::full({2, 4}, 1.0).to(at::kBFloat16);
  multiply_widened(zeros, at::randn({2, 0}).to(at::kBFloat16), at::randn({0, 4}).to(at::kBFloat16));
  DOCTEST_CHECK((zeros == 0).all().item<bool>());
}
