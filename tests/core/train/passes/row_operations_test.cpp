// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/row_operations.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/train/random/counter_random.h"

using namespace natscope;
using namespace natscope::train;

namespace {

std::vector<float> random_values(std::size_t count, std::uint64_t seed, float scale = 1.0F) {
  std::vector<float> values(count);
  const CounterRandom random(seed, 99);
  for (std::size_t i = 0; i < count; ++i) values[i] = scale * (2.0F * random.uniform(i) - 1.0F);
  return values;
}

}  // namespace

TEST_CASE("rounding to bf16 is to nearest, ties to even, and keeps what is not a number") {
  const std::vector<float> in{1.0F, 1.00390625F, 1.01171875F, -3.0e38F, INFINITY, NAN, 0.0F};
  std::vector<Bf16> out(in.size());
  row_operations<Bf16>().round_to(static_cast<std::int64_t>(in.size()), in.data(), out.data());
  for (std::size_t i = 0; i < in.size(); ++i) CHECK(out[i].bits == kernels::to_bf16(in[i]).bits);
}

TEST_CASE("cross entropy is the definition's, and its gradient softmax minus one-hot") {
  for (const std::int64_t vocab : {1, 2, 31, 33, 300}) {
    const auto logits = random_values(static_cast<std::size_t>(2 * vocab), 4, 8.0F);
    std::vector<float> gradient = logits;
    const std::int32_t targets[2] = {static_cast<std::int32_t>(vocab - 1), -1};
    float nll[2] = {NAN, NAN};
    row_operations<float>().cross_entropy(2, vocab, gradient.data(), targets, 0.25F, nll);
    double sum = 0.0;
    for (std::int64_t i = 0; i < vocab; ++i) sum += std::exp(static_cast<double>(logits[static_cast<std::size_t>(i)]));
    CHECK(static_cast<double>(nll[0]) ==
          doctest::Approx(std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(vocab - 1)]))
              .epsilon(1e-5));
    CHECK(nll[1] == 0.0F);
    for (std::int64_t i = 0; i < vocab; ++i) {
      const double p = std::exp(static_cast<double>(logits[static_cast<std::size_t>(i)])) / sum;
      CHECK(static_cast<double>(gradient[static_cast<std::size_t>(i)]) ==
            doctest::Approx(0.25 * (p - (i == vocab - 1 ? 1.0 : 0.0))).epsilon(1e-5));
      CHECK(gradient[static_cast<std::size_t>(vocab + i)] == 0.0F);
    }
  }
}

TEST_CASE("the gradient of rows that share a token adds up") {
  const std::int32_t tokens[3] = {1, 0, 1};
  const std::vector<float> dx{1, 2, 10, 20, 100, 200};
  std::vector<float> gradient(4, 1.0F);
  row_operations<float>().scatter_add_rows(tokens, dx.data(), gradient.data(), 3, 2);
  CHECK(gradient == std::vector<float>{11, 21, 102, 203});
}

TEST_CASE("adamw is the paper's formula") {
  AdamStep step;
  step.learning_rate = 0.1;
  step.beta1 = 0.9;
  step.beta2 = 0.95;
  step.weight_decay = 0.2;
  step.gradient_scale = 0.5;
  step.step = 3;
  float weight = 2.0F, m = 0.3F, v = 0.4F;
  const float gradient = 1.5F;
  row_operations<float>().adamw(step, 1, &gradient, &weight, &m, &v);
  const double new_m = 0.9 * 0.3 + 0.1 * 0.75;
  const double new_v = 0.95 * 0.4 + 0.05 * 0.75 * 0.75;
  const double m_hat = new_m / (1 - std::pow(0.9, 3));
  const double v_hat = new_v / (1 - std::pow(0.95, 3));
  CHECK(static_cast<double>(m) == doctest::Approx(new_m));
  CHECK(static_cast<double>(v) == doctest::Approx(new_v));
  CHECK(static_cast<double>(weight) ==
        doctest::Approx(2.0 * (1 - 0.1 * 0.2) - 0.1 * m_hat / (std::sqrt(v_hat) + 1e-8)).epsilon(1e-5));
}

TEST_CASE("rotation turns by the position's angle, and its gradient turns back") {
  const HeadShape shape{4, 2, 2, 1, 8};
  const auto qkv = random_values(4 * 4 * 8, 8);
  std::vector<float> cosine, sine;
  for (int position = 0; position < 2; ++position) {
    for (int i = 0; i < 4; ++i) {
      cosine.push_back(std::cos(0.7F * static_cast<float>(position * (i + 1))));
      sine.push_back(std::sin(0.7F * static_cast<float>(position * (i + 1))));
    }
  }
  std::vector<float> q(4 * 16, NAN), k(4 * 8, NAN), v(4 * 8, NAN), back(qkv.size(), NAN);
  const auto& operations = row_operations<float>();
  operations.split_and_rotate(shape, qkv.data(), cosine.data(), sine.data(), q.data(), k.data(), v.data());
  CHECK(q[0] == qkv[0]);  // position 0 stands still
  CHECK(q[16] == doctest::Approx(qkv[32] * cosine[4] - qkv[36] * sine[4]));
  CHECK(v[8] == qkv[32 + 24]);
  operations.rotate_back_and_join(shape, q.data(), k.data(), v.data(), cosine.data(), sine.data(), back.data());
  for (std::size_t i = 0; i < qkv.size(); ++i) CHECK(back[i] == doctest::Approx(qkv[i]).epsilon(1e-5));
}
