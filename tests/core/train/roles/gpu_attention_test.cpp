// SPDX-License-Identifier: GPL-3.0-or-later
// LibTorch has a CHECK of its own: doctest by its long names here.
#include "core/train/roles/gpu_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>

#include "core/device/device_module.h"
#include "core/device/torch_cuda.h"

using namespace natscope;
using namespace natscope::train;

DOCTEST_TEST_CASE(
    "what LibTorch was given before a call is there for it, and what the call leaves for LibTorch behind it") {
  const auto attention = open_gpu_attention();
  DOCTEST_REQUIRE(attention.has_value());
  constexpr std::int64_t heads = 4, length = 2048, head_dim = 64;
  const auto floats = at::TensorOptions(at::kFloat).device(at::kCUDA);
  const at::Tensor roles = at::zeros({1, heads, length}, floats.dtype(at::kByte));
  const at::Tensor counts = at::arange(1, length + 1, floats);
  const at::Tensor slow = at::ones({8192, 8192}, floats);
  for (int round = 1; round <= 20; ++round) {
    DOCTEST_CAPTURE(round);
    const at::Tensor none = at::zeros({1, heads, length, head_dim}, floats);
    // Milliseconds of work; nobody waits for it here.
    const at::Tensor values =
        at::mm(slow, slow).select(0, 0).narrow(0, 0, head_dim).div(8192.0 / round).expand_as(none).contiguous();
    at::Tensor out = at::empty_like(none), lse = at::empty({1, heads, length}, floats);
    const auto view = [&](const at::Tensor& tensor) {
      return kernels::View<float, 4>::packed(tensor.data_ptr<float>(), {1, heads, length, head_dim});
    };
    const kernels::AttentionTrainInputs inputs{
        view(none),
        view(none),
        view(values),
        kernels::ConstView<Role, 3>::packed(static_cast<const Role*>(roles.data_ptr()), {1, heads, length}),
        16,
        kernels::ElementType::f32};
    DOCTEST_REQUIRE(
        (*attention)
            ->forward(inputs, view(out), kernels::View<float, 3>::packed(lse.data_ptr<float>(), {1, heads, length}))
            .ok());
    // Every key has the same weight, and every value is the round's number.
    DOCTEST_CHECK(out.sub_(round).abs_().max().item<float>() < 1e-4F * static_cast<float>(round));
    DOCTEST_CHECK(lse.sub_(counts.log()).abs_().max().item<float>() < 1e-4F);
  }
  release_torch_memory();
}

DOCTEST_TEST_CASE("attention takes the memory that LibTorch keeps and nobody uses") {
  const auto attention = open_gpu_attention();
  DOCTEST_REQUIRE(attention.has_value());
  constexpr std::int64_t heads = 64, length = 8192, head_dim = 128;
  constexpr std::int64_t left_bytes = 256LL << 20U;  // less than the scratch of this shape
  const auto floats = at::TensorOptions(at::kFloat).device(at::kCUDA);
  const at::Tensor rows = at::zeros({1, heads, length, head_dim}, floats);
  const at::Tensor out = at::empty_like(rows), lse = at::empty({1, heads, length}, floats);
  const at::Tensor roles = at::zeros({1, heads, length}, floats.dtype(at::kByte));
  {
    const auto module = DeviceModule::open({});
    DOCTEST_REQUIRE(module.has_value());
    at::empty({(*module)->description().free_bytes - left_bytes}, floats.dtype(at::kByte));  // kept once it is gone
  }
  const std::array<std::int64_t, 4> sizes{1, heads, length, head_dim};
  const auto view = [&](const at::Tensor& tensor) {
    return kernels::View<float, 4>::packed(tensor.data_ptr<float>(), sizes);
  };
  const kernels::AttentionTrainInputs inputs{
      view(rows), view(rows),
      view(rows), kernels::ConstView<Role, 3>::packed(static_cast<const Role*>(roles.data_ptr()), {1, heads, length}),
      16,         kernels::ElementType::bf16};
  const kernels::Status status =
      (*attention)
          ->forward(inputs, view(out), kernels::View<float, 3>::packed(lse.data_ptr<float>(), {1, heads, length}));
  DOCTEST_CHECK(status.ok());
  DOCTEST_CHECK(lse.isfinite().all().item<bool>());
  release_torch_memory();
}
