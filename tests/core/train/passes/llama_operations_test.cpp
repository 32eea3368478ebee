// SPDX-License-Identifier: GPL-3.0-or-later
// Operations that are fused or have a gradient written by hand, against their formulas under LibTorch's autograd.
#include "core/train/passes/llama_operations.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/silu.h>
#include <doctest/doctest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <utility>
#include <vector>

using namespace natscope::train;

namespace {

using Operation = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

/// The result, then the gradients of `inputs` for a given one of the result.
std::vector<at::Tensor> with_gradients(const Operation& operation, const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().requires_grad_(true));
  const at::Tensor out = operation(leaves);
  at::manual_seed(9);
  auto all = torch::autograd::grad({out}, leaves, {at::randn(out.sizes(), at::kFloat).to(out.scalar_type())});
  all.insert(all.begin(), out.detach());
  return all;
}

/// `tolerance`: of the largest difference, as a share of the largest number.
void compare(const Operation& operation, const Operation& formula, const std::vector<at::Tensor>& inputs,
             double tolerance) {
  const auto got = with_gradients(operation, inputs), expected = with_gradients(formula, inputs);
  DOCTEST_REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    DOCTEST_CAPTURE(i);
    DOCTEST_REQUIRE((got[i].sizes() == expected[i].sizes()));
    DOCTEST_REQUIRE((got[i].scalar_type() == expected[i].scalar_type()));
    const at::Tensor wide = expected[i].to(at::kFloat);
    const double most = wide.abs().max().item<double>();
    DOCTEST_CHECK(most > 0);
    DOCTEST_CHECK((got[i].to(at::kFloat) - wide).abs().max().item<double>() <= tolerance * most);
  }
}

}  // namespace

DOCTEST_TEST_CASE("swiglu rounds once, forward and back, whatever type the product has") {
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t width : {1, 31, 32, 33}) {
      DOCTEST_CAPTURE(width);
      const auto formula = [type, width](const std::vector<at::Tensor>& inputs) {
        const at::Tensor wide = inputs[0].to(at::kFloat);
        return (at::silu(wide.narrow(1, 0, width)) * wide.narrow(1, width, width)).to(type);
      };
      compare([](const std::vector<at::Tensor>& inputs) { return swiglu(inputs[0]); }, formula,
              {at::randn({17, 2 * width}).to(type)}, type == at::kFloat ? 1e-6 : 0.0);
    }
  }
}

DOCTEST_TEST_CASE("a product rounds its operands and its result, forward and back") {
  at::manual_seed(3);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const auto formula = [type](const at::Tensor& x, const at::Tensor& weight) {
      return at::linear(x.to(type).to(at::kFloat), weight.to(type).to(at::kFloat)).to(type);
    };
    const auto got = [type](const at::Tensor& x, const at::Tensor& weight) { return rounded_product(x, weight, type); };
    // A last bit where a sum stands between two numbers.
    const double tolerance = type == at::kFloat ? 1e-6 : 0x1p-8;
    const at::Tensor x = at::randn({2, 7, 33}), weight = at::randn({29, 33});
    for (const auto& [given_x, given_weight] : {std::pair{x, weight}, {x.to(type), weight.to(type)}}) {
      compare([&](const auto& in) { return got(in[0], in[1]); }, [&](const auto& in) { return formula(in[0], in[1]); },
              {given_x, given_weight}, tolerance);
    }
    // One of them stands still: a frozen weight, and the first layer's input.
    compare([&](const auto& in) { return got(in[0], weight); }, [&](const auto& in) { return formula(in[0], weight); },
            {x}, tolerance);
    compare([&](const auto& in) { return got(x, in[0]); }, [&](const auto& in) { return formula(x, in[0]); }, {weight},
            tolerance);
  }
}

DOCTEST_TEST_CASE("rotation turns by the position's angle, and its gradient turns back") {
  at::manual_seed(2);
  using Head = std::pair<std::int64_t, std::int64_t>;  // pairs that are turned, and numbers behind them that are not
  for (const auto& [half, rest] : {Head{1, 0}, {4, 0}, {17, 0}, {3, 2}, {1, 6}}) {
    DOCTEST_CAPTURE(half);
    DOCTEST_CAPTURE(rest);
    const std::int64_t head_dim = 2 * half + rest;
    const double part = static_cast<double>(2 * half) / static_cast<double>(head_dim);
    const natscope::RotaryEmbedding embedding({.theta = 50.0, .rotated_part = part}, static_cast<int>(head_dim));
    DOCTEST_REQUIRE(embedding.pairs() == half);
    const RotationTensors rotation = make_rotation(embedding, 40, at::kCPU);  // more than are used
    const auto formula = [&](const std::vector<at::Tensor>& inputs) {
      const at::Tensor low = inputs[0].narrow(-1, 0, half), high = inputs[0].narrow(-1, half, half);
      const at::Tensor cosine = rotation.cosine.narrow(1, 0, 31), sine = rotation.sine.narrow(1, 0, 31);
      const at::Tensor last = inputs[0].narrow(-1, 2 * half, rest);
      return at::cat({low * cosine - high * sine, high * cosine + low * sine, last}, -1).transpose(1, 2);
    };
    compare([&](const std::vector<at::Tensor>& inputs) { return rotated(inputs[0], rotation); }, formula,
            {at::randn({2, 31, 3, head_dim})}, 1e-6);
  }
}

DOCTEST_TEST_CASE("the norm divides by the root of the mean square") {
  at::manual_seed(3);
  for (const std::int64_t width : {1, 31, 33}) {
    DOCTEST_CAPTURE(width);
    const auto formula = [](const std::vector<at::Tensor>& inputs) {
      const at::Tensor x = inputs[0].to(at::kDouble);
      return (x / (x.square().mean(-1, true) + 1e-2).sqrt() * inputs[1].to(at::kDouble)).to(at::kFloat);
    };
    compare([](const std::vector<at::Tensor>& inputs) { return rms_normalised(inputs[0], inputs[1], 1e-2); }, formula,
            {at::randn({19, width}), at::randn({width})}, 5e-6);
  }
}
