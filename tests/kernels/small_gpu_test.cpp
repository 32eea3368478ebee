// SPDX-License-Identifier: GPL-3.0-or-later
// GPUs whose blocks have 99 KiB of shared memory (compute capability 8.6, 8.9, 12.0) in place of 227: one stage for tiles on
// their way where there is no room for two, and heads that do not fit are refused before anything is computed.
#include <doctest/doctest.h>

#include "kernels/cuda/attention_prefill.h"
#include "kernels/cuda/attention_train.h"
#include "tests/cuda_on_host/block_run.h"
#include "tests/kernels/attention_train_case.h"
#include "tests/kernels/sequence_backend.h"
#include "tests/kernels/sequence_check.h"

using namespace natscope;
using namespace natscope::test;
using kernels::cuda::attention_prefill_fits;
using kernels::cuda::attention_train_fits;

namespace {

struct SmallGpu {
  SmallGpu() { cuda_on_host::set_most_shared_bytes(std::size_t{99} * 1024); }
  ~SmallGpu() { cuda_on_host::set_most_shared_bytes(cuda_on_host::usual_shared_bytes); }
};

}  // namespace

TEST_CASE("on a small GPU prefill and decode take all heads but those of more than 128 numbers in f32") {
  RandomArrays random(61);
  INFO(random.how_to_repeat());
  const SmallGpu small;
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    for (const std::int64_t head_dim : {128, 200, 256}) {
      CAPTURE(head_dim);
      const bool fits = dtype == ElementType::bf16 || head_dim <= 128;
      CHECK(attention_prefill_fits(head_dim, dtype).ok() == fits);
      const AttentionCase c = random_case(random, 2, 1, head_dim, 71, 9, dtype, {1, 1, 1});
      for (const SequenceBackend& backend : sequence_backends()) {
        check_against_dense(c, backend.decode(c, 32), true);
        if (fits) check_against_dense(c, backend.prefill(c, 67, 32), true);
      }
    }
  }
  CHECK(attention_prefill_fits(256, ElementType::f32).code == StatusCode::unsupported_shape);
}

TEST_CASE("what a prefill does not take on a small GPU, a large one does") {
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) CHECK(attention_prefill_fits(256, dtype).ok());
}

TEST_CASE("training through one stage has the bits of training through two") {
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const Case of({1, 2, 1, 150, 128, 9}, dtype, 7);
    Results large(of), small(of);
    for (const TrainBackend& backend : train_backends()) {
      const auto run = [&](Results& into) {
        REQUIRE(run_forward(of, backend, into).ok());
        REQUIRE(run_backward(of, backend, into, 0.01).ok());
      };
      run(large);
      const SmallGpu limit;
      run(small);
    }
    CHECK(large.whole());
    CHECK(small.equals(large));
  }
}

TEST_CASE("a gradient that does not fit a small GPU is refused, and its forward pass fits") {
  const Case of({1, 1, 1, 33, 256, 9}, ElementType::bf16, 8);
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) CHECK(attention_train_fits(256, dtype).ok());
  const SmallGpu small;
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    CHECK(attention_train_fits(128, dtype).ok());
    CHECK(attention_train_fits(200, dtype).code == StatusCode::unsupported_shape);
  }
  for (const TrainBackend& backend : train_backends()) {
    Results results(of);
    REQUIRE(run_forward(of, backend, results).ok());
    CHECK(run_backward(of, backend, results).code == StatusCode::unsupported_shape);
  }
}
