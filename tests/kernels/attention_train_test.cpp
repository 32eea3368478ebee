// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>
#include <hwy/highway.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/attention_train.h"
#include "tests/kernels/attention_train_dense.h"
#include "tests/kernels/error_bound.h"
#include "tests/kernels/guarded_array.h"
#include "tests/kernels/random_arrays.h"

namespace natscope::tests {

namespace {

using kernels::AttentionTrainInputs;
using kernels::Backend;
using kernels::ConstView;
using kernels::ElementType;
using kernels::Status;
using kernels::StatusCode;
using kernels::View;

struct Shape {
  std::int64_t batch, heads, kv_heads, length, head_dim, window;
  bool by_token = false;  ///< memory as [batch, T, heads, head_dim], seen as [batch, heads, T, head_dim]
  std::vector<double> shares = {1, 2, 2};
};

std::string name_of(const Shape& shape) {
  return "B " + std::to_string(shape.batch) + " H " + std::to_string(shape.heads) + " K " + std::to_string(shape.kv_heads) + " T " +
         std::to_string(shape.length) + " D " + std::to_string(shape.head_dim) + " W " + std::to_string(shape.window) +
         (shape.by_token ? " by token" : "");
}

template <class T>
View<T, 4> view_of(T* data, const Shape& shape, std::int64_t heads) {
  View<T, 4> view = View<T, 4>::packed(data, {shape.batch, heads, shape.length, shape.head_dim});
  if (shape.by_token) view.strides = {shape.length * heads * shape.head_dim, shape.head_dim, heads * shape.head_dim, 1};
  return view;
}

/// Inputs of one case, and where the operation puts its results.
struct Case {
  Case(const Shape& wanted, ElementType type, std::uint64_t seed, float deviation = 1.0F)
      : shape(wanted), dtype(type), random(seed), q(random.normal(queries(), deviation)), k(random.normal(keys(), deviation)),
        v(random.normal(keys())), d_out(random.normal(queries())), roles(random.roles(shape.batch * shape.kv_heads * shape.length, shape.shares)) {}

  std::int64_t queries() const { return shape.batch * shape.heads * shape.length * shape.head_dim; }
  std::int64_t keys() const { return shape.batch * shape.kv_heads * shape.length * shape.head_dim; }

  AttentionTrainInputs inputs() const {
    return {view_of(q.data(), shape, shape.heads), view_of(k.data(), shape, shape.kv_heads), view_of(v.data(), shape, shape.kv_heads),
            ConstView<Role, 3>::packed(roles.data(), {shape.batch, shape.kv_heads, shape.length}), shape.window, dtype};
  }

  Shape shape;
  ElementType dtype;
  RandomArrays random;
  std::vector<float> q, k, v, d_out;
  std::vector<Role> roles;
};

struct Results {
  explicit Results(const Case& of)
      : out(of.queries()), lse(of.shape.batch * of.shape.heads * of.shape.length), dq(of.queries()), dk(of.keys()), dv(of.keys()),
        d_roles(of.shape.batch * of.shape.kv_heads * of.shape.length * 3) {}

  bool whole() const {
    for (const GuardedArray* array : {&out, &lse, &dq, &dk, &dv, &d_roles}) {
      if (!array->guards_hold() || !array->all_written()) return false;
    }
    return true;
  }

  GuardedArray out, lse, dq, dk, dv, d_roles;
};

Status run_forward(const Case& of, Backend backend, Results& into) {
  return kernels::attention_train_forward(backend, of.inputs(), view_of(into.out.data(), of.shape, of.shape.heads),
                                          View<float, 3>::packed(into.lse.data(), {of.shape.batch, of.shape.heads, of.shape.length}));
}

Status run_backward(const Case& of, Backend backend, Results& into, double lambda = 0, bool with_roles = true) {
  View<float, 4> d_roles;
  if (with_roles) d_roles = View<float, 4>::packed(into.d_roles.data(), {of.shape.batch, of.shape.kv_heads, of.shape.length, 3});
  return kernels::attention_train_backward(
      backend, of.inputs(), view_of(into.out.data(), of.shape, of.shape.heads),
      View<float, 3>::packed(into.lse.data(), {of.shape.batch, of.shape.heads, of.shape.length}),
      view_of(of.d_out.data(), of.shape, of.shape.heads), lambda, view_of(into.dq.data(), of.shape, of.shape.heads),
      view_of(into.dk.data(), of.shape, of.shape.kv_heads), view_of(into.dv.data(), of.shape, of.shape.kv_heads), d_roles);
}

/// The truth for all heads, packed [batch, heads or kv_heads, T, …].
template <class Real>
struct Truth {
  std::vector<Real> out, lse, dq, dk, dv, d_roles;
};

template <class Real>
Matrix<Real> head_of(const std::vector<float>& array, const Case& of, std::int64_t heads, std::int64_t b, std::int64_t h) {
  const View<const float, 4> view = view_of(array.data(), of.shape, heads);
  Matrix<Real> matrix(of.shape.length, of.shape.head_dim);
  for (std::int64_t t = 0; t < matrix.rows; ++t) {
    for (std::int64_t d = 0; d < matrix.columns; ++d) {
      const float number = view(b, h, t, d);
      matrix(t, d) = static_cast<Real>(of.dtype == ElementType::bf16 ? kernels::to_float(kernels::to_bf16(number)) : number);
    }
  }
  return matrix;
}

template <class Real>
Options<Real> options_of(const Case& of, std::int64_t b, std::int64_t kv_head) {
  Options<Real> options(of.shape.length, 3);
  for (std::int64_t t = 0; t < of.shape.length; ++t) {
    options(t, static_cast<std::int64_t>(of.roles[static_cast<std::size_t>((b * of.shape.kv_heads + kv_head) * of.shape.length + t)])) = 1;
  }
  return options;
}

template <class Real>
void append(std::vector<Real>& to, const std::vector<Real>& from) { to.insert(to.end(), from.begin(), from.end()); }

template <class Real>
void add(std::vector<Real>& to, const std::vector<Real>& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

template <class Real>
Truth<Real> truth_of(const Case& of, double lambda) {
  const Shape& shape = of.shape;
  Truth<Real> truth;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t kv = 0; kv < shape.kv_heads; ++kv) {
      const Matrix<Real> k = head_of<Real>(of.k, of, shape.kv_heads, b, kv);
      const Matrix<Real> v = head_of<Real>(of.v, of, shape.kv_heads, b, kv);
      const Options<Real> options = options_of<Real>(of, b, kv);
      Matrix<Real> dk(shape.length, shape.head_dim);
      Matrix<Real> dv(shape.length, shape.head_dim);
      Matrix<Real> d_options(shape.length, 3);
      for (std::int64_t h = kv * shape.heads / shape.kv_heads; h < (kv + 1) * shape.heads / shape.kv_heads; ++h) {
        const Matrix<Real> q = head_of<Real>(of.q, of, shape.heads, b, h);
        const DenseForward<Real> forward = dense_forward(q, k, v, options, shape.window);
        const DenseBackward<Real> backward = dense_backward(q, k, v, options, shape.window, head_of<Real>(of.d_out, of, shape.heads, b, h));
        append(truth.out, forward.out.numbers);
        for (const Real sum : forward.sum) truth.lse.push_back(std::log(sum));
        append(truth.dq, backward.dq.numbers);
        add(dk.numbers, backward.dk.numbers);
        add(dv.numbers, backward.dv.numbers);
        add(d_options.numbers, backward.d_options.numbers);
      }
      for (std::int64_t n = 0; n < shape.length; ++n) {  // equations 22, 23
        const auto length = static_cast<double>(shape.length);
        const auto reach = static_cast<double>(std::min(next_global_of(options, n), shape.length - 1) - n);
        d_options(n, 0) += static_cast<Real>(lambda * static_cast<double>(shape.length - n) / length);
        d_options(n, 1) += static_cast<Real>(lambda * reach / length);
      }
      append(truth.dk, dk.numbers);
      append(truth.dv, dv.numbers);
      append(truth.d_roles, d_options.numbers);
    }
  }
  return truth;
}

/// What the operation wrote, in the order of Truth.
std::vector<float> packed(GuardedArray& array, const Shape& shape, std::int64_t heads) {
  const View<float, 4> view = view_of(array.data(), shape, heads);
  std::vector<float> numbers;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t t = 0; t < shape.length; ++t) {
        for (std::int64_t d = 0; d < shape.head_dim; ++d) numbers.push_back(view(b, h, t, d));
      }
    }
  }
  return numbers;
}

/// Held to twice the error of the formulas computed plainly in f32, or to `tolerance` of the largest number.
void check_close(const std::string& what, std::span<const float> values, const std::vector<double>& truth, const std::vector<float>& plain,
                 double tolerance) {
  CAPTURE(what);
  const double magnitude = largest_magnitude(std::span<const double>(truth));
  const double error = largest_error(values, std::span<const double>(truth));
  const double plain_error = largest_error(std::span<const float>(plain), std::span<const double>(truth));
  // A query that sees itself alone has weight 1 and dP = Δ: then dq, dk and role sums are rounding and nothing else.
  CHECK(error <= std::max({allowed_error(plain_error, magnitude), tolerance * magnitude, 4e-6}));
}

void check_against_formulas(const Shape& shape, ElementType dtype, Backend backend, std::uint64_t seed) {
  const Case of(shape, dtype, seed);
  CAPTURE(name_of(shape));
  CAPTURE(of.random.how_to_repeat());
  const double lambda = 0.25;
  Results results(of);
  REQUIRE(run_forward(of, backend, results).ok());
  REQUIRE(run_backward(of, backend, results, lambda).ok());
  REQUIRE(results.whole());

  const Truth<double> truth = truth_of<double>(of, lambda);
  const Truth<float> plain = truth_of<float>(of, lambda);
  // bf16: weights and score gradients are operands as well, each off by up to 2^-9 of itself.
  const double tolerance = dtype == ElementType::bf16 ? 1.0 / 128 : 2e-6;
  check_close("out", packed(results.out, shape, shape.heads), truth.out, plain.out, tolerance);
  check_close("lse", results.lse.span(), truth.lse, plain.lse, dtype == ElementType::bf16 ? 1e-5 : 1e-6);
  check_close("dq", packed(results.dq, shape, shape.heads), truth.dq, plain.dq, tolerance);
  check_close("dk", packed(results.dk, shape, shape.kv_heads), truth.dk, plain.dk, tolerance);
  check_close("dv", packed(results.dv, shape, shape.kv_heads), truth.dv, plain.dv, tolerance);
  check_close("d_roles", results.d_roles.span(), truth.d_roles, plain.d_roles, tolerance);

  // Without role gradients the others are the same.
  Results plain_masked(of);
  REQUIRE(run_forward(of, backend, plain_masked).ok());
  REQUIRE(run_backward(of, backend, plain_masked, lambda, false).ok());
  CHECK(std::equal(results.dk.span().begin(), results.dk.span().end(), plain_masked.dk.span().begin()));
  CHECK(std::equal(results.dq.span().begin(), results.dq.span().end(), plain_masked.dq.span().begin()));
  CHECK(std::isnan(shape.length > 0 ? plain_masked.d_roles[0] : std::nanf("")));
}

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {1, 1, 1, 1, 32, 4},
      {2, 2, 1, 2, 8, 0},
      {1, 2, 2, 31, 16, 3},
      {1, 4, 2, 32, 32, 0, true},
      {2, 3, 1, 33, 24, 5, true},                    // MQA
      {1, 2, 2, 63, 64, 16},                         // MHA
      {1, 2, 1, 64, 40, 7, true},
      {1, 2, 1, 65, 48, 64},
      {1, 2, 1, 127, 10, 1},                         // a head_dim of no whole vector
      {1, 4, 2, 131, 96, 16, true},
      {1, 1, 1, 70, 128, 9},
      {1, 2, 1, 67, 256, 12, true},
      {1, 1, 1, 197, 80, 30},
      {1, 2, 1, 193, 32, 16, true, {1, 0, 0}},       // full attention
      {1, 2, 1, 193, 32, 16, true, {0, 1, 0}},       // locals that nothing ends
      {1, 2, 1, 193, 32, 0, true, {0, 0, 1}},        // every query sees itself alone
      {1, 2, 1, 193, 32, 1000, true, {1, 4, 40}},    // a window longer than the sequence
      {1, 2, 1, 259, 32, 16, true, {1, 20, 20}},     // far globals
  };
  return all;
}

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

TEST_CASE("plain loops agree with the dense formulas") {
  std::uint64_t seed = 100;
  for (const Shape& shape : shapes()) {
    check_against_formulas(shape, ElementType::f32, Backend::ref, ++seed);
    check_against_formulas(shape, ElementType::bf16, Backend::ref, ++seed);
  }
}

TEST_CASE("the fast backend agrees with the dense formulas") {
  std::uint64_t seed = 200;
  for (const Shape& shape : shapes()) {
    check_against_formulas(shape, ElementType::f32, Backend::cpu, ++seed);
    check_against_formulas(shape, ElementType::bf16, Backend::cpu, ++seed);
  }
}

TEST_CASE("so does its code for every instruction set that this processor has") {
  const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  for (const std::int64_t target : targets) {
    CAPTURE(std::string(hwy::TargetName(target)));
    const OnlyTargets only(target);
    std::uint64_t seed = 300;
    for (const Shape& shape : shapes()) {
      check_against_formulas(shape, ElementType::f32, Backend::cpu, ++seed);
      check_against_formulas(shape, ElementType::bf16, Backend::cpu, ++seed);
    }
  }
}

TEST_CASE("role gradients are the derivatives of the relaxed mask") {
  // Moving a_L, a_S of any token and a_G of a global one changes the loss as equations 24 – 26 say, but for the constant m = n.
  // (For a token that is not global, the paper drops a term of a_G.) Small scores: then nothing is clipped.
  const Case of({1, 1, 1, 40, 16, 5}, ElementType::f32, 41, 0.3F);
  CAPTURE(of.random.how_to_repeat());
  Case first_global = of;
  first_global.roles[0] = Role::global;
  Results results(first_global);
  REQUIRE(run_forward(first_global, Backend::cpu, results).ok());
  REQUIRE(run_backward(first_global, Backend::cpu, results).ok());

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
      CHECK(static_cast<double>(results.d_roles[n * 3 + option]) - backward.dm(n, n) == doctest::Approx(slope).epsilon(1e-4));
    }
  }
}

TEST_CASE("large and far apart scores neither overflow nor vanish") {
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const Case of({1, 2, 1, 150, 32, 8, true}, dtype, 51, 12.0F);
    CAPTURE(of.random.how_to_repeat());
    Results fast(of);
    Results plain(of);
    REQUIRE(run_forward(of, Backend::cpu, fast).ok());
    REQUIRE(run_backward(of, Backend::cpu, fast).ok());
    REQUIRE(run_forward(of, Backend::ref, plain).ok());
    REQUIRE(run_backward(of, Backend::ref, plain).ok());
    REQUIRE(fast.whole());
    const double tolerance = dtype == ElementType::bf16 ? 1.0 / 64 : 1e-3;  // scores of hundreds: an ulp of s is 1e-4 of e^s
    for (const auto& [values, truth] : {std::pair(&fast.out, &plain.out), std::pair(&fast.dq, &plain.dq), std::pair(&fast.dk, &plain.dk),
                                        std::pair(&fast.dv, &plain.dv), std::pair(&fast.d_roles, &plain.d_roles)}) {
      const std::span<const float> expected = std::as_const(*truth).span();
      CHECK(largest_error(std::as_const(*values).span(), expected) <= tolerance * largest_magnitude(expected));
    }
  }
}

TEST_CASE("equal bits on every run and with any number of threads") {
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const Case of({2, 4, 2, 150, 32, 8, true}, dtype, 61);
    const int threads = omp_get_max_threads();
    Results first(of);
    REQUIRE(run_forward(of, Backend::cpu, first).ok());
    REQUIRE(run_backward(of, Backend::cpu, first, 0.1).ok());
    for (const int wanted : {1, 2, 3, 7, threads}) {
      omp_set_num_threads(wanted);
      Results again(of);
      REQUIRE(run_forward(of, Backend::cpu, again).ok());
      REQUIRE(run_backward(of, Backend::cpu, again, 0.1).ok());
      for (const auto& [a, b] : {std::pair(&first.out, &again.out), std::pair(&first.lse, &again.lse), std::pair(&first.dq, &again.dq),
                                 std::pair(&first.dk, &again.dk), std::pair(&first.dv, &again.dv), std::pair(&first.d_roles, &again.d_roles)}) {
        CHECK(std::equal(a->span().begin(), a->span().end(), b->span().begin()));
      }
    }
    omp_set_num_threads(threads);
  }
}

TEST_CASE("a NaN of the model shows in what follows it") {
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    Case of({1, 1, 1, 100, 32, 8, false, {1, 0, 0}}, dtype, 71);
    of.q[70 * 32 + 3] = std::numeric_limits<float>::quiet_NaN();
    of.v[20 * 32 + 5] = std::numeric_limits<float>::quiet_NaN();
    Results results(of);
    REQUIRE(run_forward(of, Backend::cpu, results).ok());
    CHECK(std::isnan(results.out[70 * 32]));
    CHECK(std::isnan(results.lse[70]));
    CHECK(std::isnan(results.out[50 * 32 + 5]));
    CHECK_FALSE(std::isnan(results.out[50 * 32 + 4]));
  }
}

TEST_CASE("nothing to do is done") {
  for (const Backend backend : {Backend::ref, Backend::cpu}) {
    for (const Shape& shape : {Shape{1, 2, 1, 0, 32, 4}, Shape{0, 2, 1, 5, 32, 4}, Shape{1, 0, 0, 5, 32, 4}}) {
      const Case of(shape, ElementType::f32, 1);
      Results results(of);
      CHECK(run_forward(of, backend, results).ok());
      CHECK(run_backward(of, backend, results).ok());
      CHECK(results.whole());
    }
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
        Backend::cpu, inputs, out, lse, view_of(of.d_out.data(), of.shape, 4), 0, view_of(results.dq.data(), of.shape, 4),
        view_of(results.dk.data(), of.shape, 2), view_of(results.dv.data(), of.shape, 2), {});
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
  REQUIRE(run_forward(of, Backend::cpu, endless).ok());
  REQUIRE(run_backward(of, Backend::cpu, endless).ok());
  of.shape.window = 40;
  Results whole(of);
  REQUIRE(run_forward(of, Backend::cpu, whole).ok());
  REQUIRE(run_backward(of, Backend::cpu, whole).ok());
  CHECK(std::equal(endless.d_roles.span().begin(), endless.d_roles.span().end(), whole.d_roles.span().begin()));
  CHECK(run_backward(of, Backend::cpu, whole, std::nan("")).code == StatusCode::invalid_argument);
}

}  // namespace natscope::tests
