// SPDX-License-Identifier: GPL-3.0-or-later
// On a GPU: the fused operations of a decoding step say what the plain ones say.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "tests/core/engine/gpu_arrays.h"

namespace natscope {

using test::Numbers;
using test::OnDevice;
using test::open_gpu_module;
using test::some_numbers;

TEST_CASE("a step's products are those of norm, products and gate one after the other") {
  const auto module = open_gpu_module();
  const auto& table = module->operations();
  kernels::OpenedDevice* const device = module->device();
  using kernels::TokenProducts;
  for (const std::int64_t in : {1, 33, 768, 5000}) {
    for (const std::vector<std::int64_t>& outs :
         {std::vector<std::int64_t>{1}, {7}, {96, 32, 32, 12}, {3000, 5}, {41, 41}}) {
      for (const int mode : {0, 1, 2, 3}) {  // plain, normed, summed, gated
        if (mode == 3 && (outs.size() != 2 || outs[0] != outs[1])) continue;
        CAPTURE(in);
        CAPTURE(outs.size());
        CAPTURE(mode);
        const bool round = in % 2 == 1;
        const OnDevice x(*module, some_numbers(in, 21));
        const OnDevice norm(*module, some_numbers(in, 22));
        std::vector<OnDevice> weights, biases, before, found;
        for (std::size_t i = 0; i < outs.size(); ++i) {
          weights.emplace_back(*module, some_numbers(outs[i] * in, 23 + i));
          biases.emplace_back(*module, some_numbers(outs[i], 33 + i));
          before.emplace_back(*module, some_numbers(outs[i], 43 + i));
          found.emplace_back(*module, some_numbers(outs[i], 43 + i));
        }
        const OnDevice normed(*module, some_numbers(in, 24));
        const float* read = x.data();
        if (mode != 0) {
          REQUIRE(table.rms_norm(device, x.data(), norm.data(), 1, in, 1e-5F, round, normed.data()).ok());
          read = normed.data();
        }
        TokenProducts call;
        call.x = x.data();
        call.norm = mode != 0 ? norm.data() : nullptr;
        call.eps = 1e-5F;
        call.round = round;
        call.into = mode == 2   ? TokenProducts::Into::sum
                    : mode == 3 ? TokenProducts::Into::gate
                                : TokenProducts::Into::out;
        call.count = static_cast<std::int32_t>(outs.size());
        for (std::size_t i = 0; i < outs.size(); ++i) {
          kernels::LinearRow product{
              weights[i].data(), kernels::ElementType::f32, outs[i], in, i % 2 == 0 ? biases[i].data() : nullptr,
              before[i].data()};
          REQUIRE(table.linear(device, read, 1, &product, mode == 2).ok());
          product.out = found[i].data();
          call.products[i] = product;
        }
        if (mode == 3) REQUIRE(table.swiglu(device, before[0].data(), before[1].data(), outs[0], round).ok());
        REQUIRE(table.token_products(device, &call).ok());
        for (std::size_t i = 0; i < outs.size(); ++i) {
          if (mode == 3 && i == 1) break;
          // Sums are added up in another order, and what is rounded may go the other way.
          const Numbers wanted = before[i].read();
          const Numbers got = found[i].read();
          float largest = 1;
          for (const float number : wanted) largest = std::max(largest, std::abs(number));
          const float allowed = largest * (round ? 0x1p-6F : 1e-5F);
          REQUIRE(got.size() == wanted.size());
          for (std::size_t at = 0; at < wanted.size(); ++at) CHECK(std::abs(got[at] - wanted[at]) <= allowed);
        }
      }
    }
  }
}

TEST_CASE("a step's heads have the bits of turning, rounding and roles one after the other") {
  const auto module = open_gpu_module();
  const auto& table = module->operations();
  kernels::OpenedDevice* const device = module->device();
  for (const std::int32_t kv_heads : {1, 3, 40}) {
    using Head = std::pair<std::int32_t, std::int32_t>;  // its numbers, and those that are turned
    for (const auto& [head_dim, rotated] : {Head{2, 2}, {64, 64}, {128, 128}, {128, 96}, {40, 0}}) {
      for (const bool round : {false, true}) {
        CAPTURE(kv_heads);
        CAPTURE(head_dim);
        CAPTURE(rotated);
        const std::int32_t heads = 2 * kv_heads;
        const std::int64_t key_size = std::int64_t{kv_heads} * head_dim;
        const auto numbers = [&](std::int64_t size, std::uint64_t seed) {
          return OnDevice(*module, some_numbers(size, seed));
        };
        const OnDevice queries[2] = {numbers(2 * key_size, 51), numbers(2 * key_size, 51)};
        const OnDevice keys[2] = {numbers(key_size, 52), numbers(key_size, 52)};
        const OnDevice values[2] = {numbers(key_size, 53), numbers(key_size, 53)};
        const OnDevice norm = numbers(head_dim, 54), cosine = numbers(head_dim / 2, 55),
                       sine = numbers(head_dim / 2, 56);
        const OnDevice scores = numbers(std::int64_t{role_count} * kv_heads, 57);
        std::vector<Role> known(static_cast<std::size_t>(kv_heads), by_scores);
        known[0] = Role::global;
        DeviceArray prescribed(*module), roles(*module);
        REQUIRE(prescribed.upload(known.data(), kv_heads));
        REQUIRE(roles.upload(known.data(), kv_heads));

        const float eps = 1e-6F;
        REQUIRE(table
                    .turn_heads(device, queries[0].data(), norm.data(), cosine.data(), sine.data(), 1, heads, head_dim,
                                rotated, eps, round)
                    .ok());
        REQUIRE(table
                    .turn_heads(device, keys[0].data(), nullptr, cosine.data(), sine.data(), 1, kv_heads, head_dim,
                                rotated, eps, round)
                    .ok());
        if (round) REQUIRE(table.round_to_bf16(device, values[0].data(), key_size).ok());
        const kernels::TokenHeads call{queries[1].data(),
                                       keys[1].data(),
                                       values[1].data(),
                                       norm.data(),
                                       nullptr,
                                       cosine.data(),
                                       sine.data(),
                                       heads,
                                       kv_heads,
                                       head_dim,
                                       rotated,
                                       eps,
                                       round,
                                       prescribed.as<Role>(),
                                       scores.data(),
                                       0.25F,
                                       roles.as<Role>()};
        REQUIRE(table.token_heads(device, &call).ok());
        CHECK(queries[1].read() == queries[0].read());
        CHECK(keys[1].read() == keys[0].read());
        CHECK(values[1].read() == values[0].read());
        std::vector<Role> found(known.size());
        REQUIRE(table.download(device, found.data(), roles.as<void>(), kv_heads).ok());
        REQUIRE(table.wait(device).ok());
        const Numbers host_scores = some_numbers(std::int64_t{role_count} * kv_heads, 57);
        for (std::size_t head = 0; head < known.size(); ++head)
          CHECK(found[head] == role_of(known[head], host_scores.data() + role_count * head, 0.25F));
      }
    }
  }
}

}  // namespace natscope
