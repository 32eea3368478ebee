// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <string>

#include "kernels/shared_work.h"
#include "tests/kernels/attention_train_case.h"

/// What only the CPU backend promises (any number of threads, every instruction set), and what launch/ refuses.
namespace natscope::test {

namespace {

using kernels::Backend;

TrainBackend fast() { return train_backends()[1]; }

/// Runs as on a processor that has no more than these instruction sets; whatever it has again afterwards.
class OnlyTargets {
 public:
  explicit OnlyTargets(std::int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  ~OnlyTargets() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  OnlyTargets(const OnlyTargets&) = delete;
  OnlyTargets& operator=(const OnlyTargets&) = delete;
};

}  // namespace

TEST_CASE("the code for every instruction set that this processor has agrees with the dense formulas") {
  const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  for (const std::int64_t target : targets) {
    CAPTURE(std::string(hwy::TargetName(target)));
    const OnlyTargets only(target);
    std::uint64_t seed = 300;
    for (const Shape& shape : shapes()) {
      check_against_formulas(shape, ElementType::f32, fast(), ++seed);
      check_against_formulas(shape, ElementType::bf16, fast(), ++seed);
    }
  }
}

TEST_CASE("role gradients are the derivatives of the relaxed mask") {
  // Moving a_L, a_S of any token and a_G of a global one changes the loss as equations 24 – 26 say, but for the
  // constant m = n. (For a token that is not global, the paper drops a term of a_G.) Small scores: then nothing is
  // clipped.
  const Case of({1, 1, 1, 40, 16, 5}, ElementType::f32, 41, 0.3F);
  CAPTURE(of.random.how_to_repeat());
  Case first_global = of;
  first_global.roles[0] = Role::global;
  Results results(first_global);
  REQUIRE(run_forward(first_global, fast(), results).ok());
  REQUIRE(run_backward(first_global, fast(), results).ok());

  const Matrix<double> q = head_of<double>(of.q, of, 1, 0, 0);
  const Matrix<double> k = head_of<double>(of.k, of, 1, 0, 0);
  const Matrix<double> v = head_of<double>(of.v, of, 1, 0, 0);
  const Matrix<double> d_out = head_of<double>(of.d_out, of, 1, 0, 0);
  const Options<double> options = options_of<double>(first_global, 0, 0);
  const auto loss = [&](const Options<double>& moved) {
    const DenseForward<double> forward = dense_forward(q, k, v, moved, of.shape.window);
    double sum = 0;
    for (std::size_t i = 0; i < d_out.numbers.size(); ++i) sum += d_out.numbers[i] * forward.out.numbers[i];
    return sum;
  };
  const DenseForward<double> forward = dense_forward(q, k, v, options, of.shape.window);
  const DenseBackward<double> backward = dense_backward(q, k, v, options, of.shape.window, d_out);
  for (std::int64_t n = 0; n < of.shape.length; ++n) {
    for (int option = 0; option < 3; ++option) {
      if (option == 0 && options(n, 0) != 1) continue;
      CAPTURE(n);
      CAPTURE(option);
      for (std::int64_t m = n + 1; m < of.shape.length; ++m) {
        REQUIRE(forward.exponentials(m, n) <= forward.sum[static_cast<std::size_t>(m)]);
      }
      constexpr double step = 1e-5;
      Options<double> up = options;
      Options<double> down = options;
      up(n, option) += step;
      down(n, option) -= step;
      const double slope = (loss(up) - loss(down)) / (2 * step);
      CHECK(static_cast<double>(results.d_roles[n * 3 + option]) - backward.dm(n, n) ==
            doctest::Approx(slope).epsilon(1e-4));
    }
  }
}

TEST_CASE("equal bits on every run and with any number of threads") {
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const Case of({2, 4, 2, 150, 32, 8, true}, dtype, 61);
    const int threads = kernels::max_threads();
    Results first(of);
    REQUIRE(run_forward(of, fast(), first).ok());
    REQUIRE(run_backward(of, fast(), first, 0.1).ok());
    for (const int wanted : {1, 2, 3, 7, threads}) {
      kernels::set_threads(wanted);
      Results again(of);
      REQUIRE(run_forward(of, fast(), again).ok());
      REQUIRE(run_backward(of, fast(), again, 0.1).ok());
      CHECK(first.equals(again));
    }
    kernels::set_threads(threads);
  }
}

TEST_CASE("arguments that do not fit are refused before anything is written") {
  const auto code_of = [](auto change) {
    Case of({1, 4, 2, 20, 16, 4}, ElementType::f32, 81);
    AttentionTrainInputs inputs = of.inputs();
    Results results(of);
    View<float, 4> out = view_of(results.out.data(), of.shape, 4);
    View<float, 3> lse = View<float, 3>::packed(results.lse.data(), {1, 4, 20});
    change(of, inputs, out, lse);
    const Status forward = kernels::attention_train_forward(Backend::cpu, inputs, out, lse);
    CHECK(std::isnan(results.out[0]));
    const Status backward = kernels::attention_train_backward(
        Backend::cpu, inputs, out, lse, view_of(of.d_out.data(), of.shape, 4), 0,
        view_of(results.dq.data(), of.shape, 4), view_of(results.dk.data(), of.shape, 2),
        view_of(results.dv.data(), of.shape, 2), {});
    CHECK(std::isnan(results.dq[0]));
    CHECK(forward.code == backward.code);
    return backward.code;
  };
  using In = AttentionTrainInputs;
  using Out = View<float, 4>;
  using Lse = View<float, 3>;
  CHECK(code_of([](Case& of, In&, Out&, Lse&) { of.roles[7] = static_cast<Role>(3); }) == StatusCode::invalid_argument);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.window = -1; }) == StatusCode::invalid_argument);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.k.sizes[1] = 3; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.k.sizes[1] = 0; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.v.sizes[2] = 19; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.roles.sizes[2] = 21; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.q.strides[3] = 2; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.q.data = nullptr; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.q.sizes[3] = 257; }) == StatusCode::unsupported_shape);
  CHECK(code_of([](Case&, In& in, Out&, Lse&) { in.q.sizes[2] = -1; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In&, Out& out, Lse&) { out.sizes[0] = 2; }) == StatusCode::shape_mismatch);
  CHECK(code_of([](Case&, In&, Out&, Lse& lse) { lse.sizes[2] = 1; }) == StatusCode::shape_mismatch);
}

TEST_CASE("a λ that is no number is refused, a window without end is not") {
  Case of({1, 2, 1, 40, 16, std::numeric_limits<std::int64_t>::max()}, ElementType::f32, 91);
  Results endless(of);
  REQUIRE(run_forward(of, fast(), endless).ok());
  REQUIRE(run_backward(of, fast(), endless).ok());
  of.shape.window = 40;
  Results whole(of);
  REQUIRE(run_forward(of, fast(), whole).ok());
  REQUIRE(run_backward(of, fast(), whole).ok());
  CHECK(std::equal(endless.d_roles.span().begin(), endless.d_roles.span().end(), whole.d_roles.span().begin()));
  CHECK(run_backward(of, fast(), whole, std::nan("")).code == StatusCode::invalid_argument);
}

}  // namespace natscope::test
