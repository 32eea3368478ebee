// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <limits>
#include <utility>

#include "tests/kernels/attention_train_case.h"
#include "tests/support/case_turns.h"

/// The cases of every backend: this program's are those that tested_backend says.
namespace natscope::test {

TEST_CASE("every backend agrees with the dense formulas") {
  std::uint64_t seed = 100;
  for (const TrainBackend& backend : train_backends()) {
    CaseTurns turns;
    for (const Shape& shape : shapes()) {
      for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
        ++seed;
        if (turns.next()) check_against_formulas(shape, dtype, backend, seed);
      }
    }
  }
}

TEST_CASE("a sequence of more than one chunk of a plan") {
  for (const TrainBackend& backend : train_backends()) {
    const Shape shape{1, 2, 1, 1061, 32, 16, true, {1, 20, 20}};
    check_against_formulas(shape, ElementType::f32, backend, 171);
    check_against_formulas(shape, ElementType::bf16, backend, 172);
  }
}

TEST_CASE("large and far apart scores neither overflow nor vanish") {
  for (const TrainBackend& backend : train_backends()) {
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      CAPTURE(backend.name);
      const Case of({1, 2, 1, 150, 32, 8, true}, dtype, 51, 12.0F);
      CAPTURE(of.random.how_to_repeat());
      Results fast(of);
      Results plain(of);
      REQUIRE(run_forward(of, backend, fast).ok());
      REQUIRE(run_backward(of, backend, fast).ok());
      REQUIRE(run_forward(of, plain_loops(), plain).ok());
      REQUIRE(run_backward(of, plain_loops(), plain).ok());
      REQUIRE(fast.whole());
      const double tolerance =
          dtype == ElementType::bf16 ? 1.0 / 64 : 1e-3;  // scores of hundreds: an ulp of s is 1e-4 of e^s
      for (const auto& [values, truth] :
           {std::pair(&fast.out, &plain.out), std::pair(&fast.dq, &plain.dq), std::pair(&fast.dk, &plain.dk),
            std::pair(&fast.dv, &plain.dv), std::pair(&fast.d_roles, &plain.d_roles)}) {
        const std::span<const float> expected = std::as_const(*truth).span();
        CHECK(largest_error(std::as_const(*values).span(), expected) <= tolerance * largest_magnitude(expected));
      }
    }
  }
}

TEST_CASE("equal bits on every run") {
  for (const TrainBackend& backend : train_backends()) {
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      CAPTURE(backend.name);
      const Case of({2, 4, 2, 150, 32, 8, true}, dtype, 61);
      Results first(of);
      Results again(of);
      for (Results* results : {&first, &again}) {
        REQUIRE(run_forward(of, backend, *results).ok());
        REQUIRE(run_backward(of, backend, *results, 0.1).ok());
      }
      CHECK(first.equals(again));
    }
  }
}

TEST_CASE("a NaN of the model shows in what follows it") {
  for (const TrainBackend& backend : train_backends()) {
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      Case of({1, 1, 1, 100, 32, 8, false, {1, 0, 0}}, dtype, 71);
      of.q[70 * 32 + 3] = std::numeric_limits<float>::quiet_NaN();
      of.v[20 * 32 + 5] = std::numeric_limits<float>::quiet_NaN();
      Results results(of);
      REQUIRE(run_forward(of, backend, results).ok());
      CAPTURE(backend.name);
      CHECK(std::isnan(results.out[70 * 32]));
      CHECK(std::isnan(results.lse[70]));
      CHECK(std::isnan(results.out[50 * 32 + 5]));
      CHECK_FALSE(std::isnan(results.out[50 * 32 + 4]));
    }
  }
}

TEST_CASE("nothing to do is done") {
  for (const TrainBackend& backend : train_backends()) {
    for (const Shape& shape : {Shape{1, 2, 1, 0, 32, 4}, Shape{0, 2, 1, 5, 32, 4}, Shape{1, 0, 0, 5, 32, 4}}) {
      const Case of(shape, ElementType::f32, 1);
      Results results(of);
      CHECK(run_forward(of, backend, results).ok());
      CHECK(run_backward(of, backend, results).ok());
      CHECK(results.whole());
    }
  }
}

}  // namespace natscope::test
