// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "kernels/attention_train.h"
#include "tests/kernels/attention_train_dense.h"
#include "tests/kernels/error_bound.h"
#include "tests/kernels/guarded_array.h"
#include "tests/kernels/random_arrays.h"
#include "tests/kernels/tested_backend.h"

namespace natscope::test {

using kernels::AttentionTrainInputs;
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

inline std::string name_of(const Shape& shape) {
  return "B " + std::to_string(shape.batch) + " H " + std::to_string(shape.heads) + " K " +
         std::to_string(shape.kv_heads) + " T " + std::to_string(shape.length) + " D " +
         std::to_string(shape.head_dim) + " W " + std::to_string(shape.window) + (shape.by_token ? " by token" : "");
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
      : shape(wanted),
        dtype(type),
        random(seed),
        q(random.normal(queries(), deviation)),
        k(random.normal(keys(), deviation)),
        v(random.normal(keys())),
        d_out(random.normal(queries())),
        roles(random.roles(shape.batch * shape.kv_heads * shape.length, shape.shares)) {}

  std::int64_t queries() const { return shape.batch * shape.heads * shape.length * shape.head_dim; }
  std::int64_t keys() const { return shape.batch * shape.kv_heads * shape.length * shape.head_dim; }

  AttentionTrainInputs inputs() const {
    return {view_of(q.data(), shape, shape.heads),
            view_of(k.data(), shape, shape.kv_heads),
            view_of(v.data(), shape, shape.kv_heads),
            ConstView<Role, 3>::packed(roles.data(), {shape.batch, shape.kv_heads, shape.length}),
            shape.window,
            dtype};
  }

  Shape shape;
  ElementType dtype;
  RandomArrays random;
  std::vector<float> q, k, v, d_out;
  std::vector<Role> roles;
};

struct Results {
  explicit Results(const Case& of)
      : out(of.queries()),
        lse(of.shape.batch * of.shape.heads * of.shape.length),
        dq(of.queries()),
        dk(of.keys()),
        dv(of.keys()),
        d_roles(of.shape.batch * of.shape.kv_heads * of.shape.length * 3) {}

  bool whole() const {
    for (const GuardedArray* array : {&out, &lse, &dq, &dk, &dv, &d_roles}) {
      if (!array->guards_hold() || !array->all_written()) return false;
    }
    return true;
  }

  bool equals(const Results& other) const {
    const auto same = [](const GuardedArray& a, const GuardedArray& b) {
      return std::equal(a.span().begin(), a.span().end(), b.span().begin(), b.span().end());
    };
    return same(out, other.out) && same(lse, other.lse) && same(dq, other.dq) && same(dk, other.dk) &&
           same(dv, other.dv) && same(d_roles, other.d_roles);
  }

  GuardedArray out, lse, dq, dk, dv, d_roles;
};

/// The truth where the dense formulas overflow.
inline TrainBackend plain_loops() {
  return {"ref",
          [](const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse) {
            return kernels::attention_train_forward(kernels::Backend::ref, inputs, out, lse);
          },
          [](const AttentionTrainInputs& inputs, ConstView<float, 4> out, ConstView<float, 3> lse,
             ConstView<float, 4> d_out, double lambda, View<float, 4> dq, View<float, 4> dk, View<float, 4> dv,
             View<float, 4> d_roles) {
            return kernels::attention_train_backward(kernels::Backend::ref, inputs, out, lse, d_out, lambda, dq, dk, dv,
                                                     d_roles);
          }};
}

inline Status run_forward(const Case& of, const TrainBackend& backend, Results& into) {
  return backend.forward(of.inputs(), view_of(into.out.data(), of.shape, of.shape.heads),
                         View<float, 3>::packed(into.lse.data(), {of.shape.batch, of.shape.heads, of.shape.length}));
}

inline Status run_backward(const Case& of, const TrainBackend& backend, Results& into, double lambda = 0,
                           bool with_roles = true) {
  View<float, 4> d_roles;
  if (with_roles)
    d_roles = View<float, 4>::packed(into.d_roles.data(), {of.shape.batch, of.shape.kv_heads, of.shape.length, 3});
  return backend.backward(of.inputs(), view_of(into.out.data(), of.shape, of.shape.heads),
                          View<float, 3>::packed(into.lse.data(), {of.shape.batch, of.shape.heads, of.shape.length}),
                          view_of(of.d_out.data(), of.shape, of.shape.heads), lambda,
                          view_of(into.dq.data(), of.shape, of.shape.heads),
                          view_of(into.dk.data(), of.shape, of.shape.kv_heads),
                          view_of(into.dv.data(), of.shape, of.shape.kv_heads), d_roles);
}

/// The truth for all heads, packed [batch, heads or kv_heads, T, …].
template <class Real>
struct Truth {
  std::vector<Real> out, lse, dq, dk, dv, d_roles;
};

template <class Real>
Matrix<Real> head_of(const std::vector<float>& array, const Case& of, std::int64_t heads, std::int64_t b,
                     std::int64_t h) {
  const View<const float, 4> view = view_of(array.data(), of.shape, heads);
  Matrix<Real> matrix(of.shape.length, of.shape.head_dim);
  for (std::int64_t t = 0; t < matrix.rows; ++t) {
    for (std::int64_t d = 0; d < matrix.columns; ++d) {
      const float number = view(b, h, t, d);
      matrix(t, d) =
          static_cast<Real>(of.dtype == ElementType::bf16 ? kernels::to_float(kernels::to_bf16(number)) : number);
    }
  }
  return matrix;
}

template <class Real>
Options<Real> options_of(const Case& of, std::int64_t b, std::int64_t kv_head) {
  Options<Real> options(of.shape.length, 3);
  for (std::int64_t t = 0; t < of.shape.length; ++t) {
    options(t, static_cast<std::int64_t>(
                   of.roles[static_cast<std::size_t>((b * of.shape.kv_heads + kv_head) * of.shape.length + t)])) = 1;
  }
  return options;
}

template <class Real>
void append(std::vector<Real>& to, const std::vector<Real>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

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
        const DenseBackward<Real> backward =
            dense_backward(q, k, v, options, shape.window, head_of<Real>(of.d_out, of, shape.heads, b, h));
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
inline std::vector<float> packed(GuardedArray& array, const Shape& shape, std::int64_t heads) {
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
inline void check_close(const std::string& what, std::span<const float> values, const std::vector<double>& truth,
                        const std::vector<float>& plain, double tolerance) {
  CAPTURE(what);
  const double magnitude = largest_magnitude(std::span<const double>(truth));
  const double error = largest_error(values, std::span<const double>(truth));
  const double plain_error = largest_error(std::span<const float>(plain), std::span<const double>(truth));
  // A query that sees itself alone has weight 1 and dP = Δ: then dq, dk and role sums are rounding and nothing else.
  CHECK(error <= std::max({allowed_error(plain_error, magnitude), tolerance * magnitude, 4e-6}));
}

inline void check_against_formulas(const Shape& shape, ElementType dtype, const TrainBackend& backend,
                                   std::uint64_t seed) {
  const Case of(shape, dtype, seed);
  CAPTURE(backend.name);
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

inline const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {1, 1, 1, 1, 32, 4},
      {2, 2, 1, 2, 8, 0},
      {1, 2, 2, 31, 16, 3},
      {1, 4, 2, 32, 32, 0, true},
      {2, 3, 1, 33, 24, 5, true},  // MQA
      {1, 2, 2, 63, 64, 16},       // MHA
      {1, 2, 1, 64, 40, 7, true},
      {1, 2, 1, 65, 48, 64},
      {1, 2, 1, 127, 10, 1},  // a head_dim of no whole vector
      {1, 4, 2, 131, 96, 16, true},
      {1, 1, 1, 70, 128, 9},
      {1, 2, 1, 67, 256, 12, true},
      {1, 1, 1, 197, 80, 30},
      {1, 2, 1, 193, 32, 16, true, {1, 0, 0}},     // full attention
      {1, 2, 1, 193, 32, 16, true, {0, 1, 0}},     // locals that nothing ends
      {1, 2, 1, 193, 32, 0, true, {0, 0, 1}},      // every query sees itself alone
      {1, 2, 1, 193, 32, 1000, true, {1, 4, 40}},  // a window longer than the sequence
      {1, 2, 1, 259, 32, 16, true, {1, 20, 20}},   // far globals
  };
  return all;
}

}  // namespace natscope::test
