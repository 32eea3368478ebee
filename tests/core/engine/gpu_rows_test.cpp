// SPDX-License-Identifier: GPL-3.0-or-later
// On a GPU: what the module does to rows of activations, held to plain loops in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/engine/products/torch_products.h"
#include "tests/core/engine/gpu_arrays.h"
#include "tests/support/case_turns.h"

namespace natscope {

using test::check_close;
using test::Numbers;
using test::OnDevice;
using test::open_gpu_module;
using test::some_numbers;
using test::twice;

namespace {

constexpr std::int64_t sizes[] = {1, 31, 32, 33, 127, 768};

using Multiply = std::function<bool(const float* x, std::int64_t rows, const kernels::LinearRow& product, bool add)>;

/// The module's kernel, and where LibTorch has a CUDA part its products for engines of both types.
std::vector<Multiply> ways_to_multiply(const DeviceModule& module) {
  std::vector<Multiply> ways{[&](const float* x, std::int64_t rows, const kernels::LinearRow& product, bool add) {
    return module.operations().linear(module.device(), x, rows, &product, add).ok();
  }};
  for (const auto dtype : {kernels::ElementType::f32, kernels::ElementType::bf16}) {
    auto opened = TorchProducts::open(module, dtype);
    if (!opened) {
      MESSAGE("not run: LibTorch's products: " << opened.error().message);
      continue;
    }
    ways.emplace_back([products = std::shared_ptr<TorchProducts>(std::move(*opened))](
                          const float* x, std::int64_t rows, const kernels::LinearRow& product, bool add) {
      return products->run(x, rows, {&product, 1}, add).has_value();
    });
  }
  return ways;
}

}  // namespace

TEST_CASE("products of rows, f32 and bf16 weights, with and without bias") {
  const auto module = open_gpu_module();
  const std::vector<Multiply> ways = ways_to_multiply(*module);
  test::CaseTurns turns;
  for (const std::int64_t rows : {1, 2, 17}) {
    for (const std::int64_t in : sizes) {
      for (const std::int64_t out : sizes) {
        for (const bool narrow : {false, true}) {
          if (!turns.next()) continue;
          CAPTURE(rows);
          CAPTURE(in);
          CAPTURE(out);
          CAPTURE(narrow);
          Numbers x = some_numbers(rows * in, 5);
          for (float& number : x) number = kernels::to_float(kernels::to_bf16(number));  // as in a bf16 engine
          const Numbers bias = some_numbers(out, 6);
          const Numbers before = some_numbers(rows * out, 7);
          Numbers weights = some_numbers(out * in, 8);
          std::vector<kernels::Bf16> halves;
          if (narrow) {
            for (float& number : weights) {
              halves.push_back(kernels::to_bf16(number));
              number = kernels::to_float(halves.back());
            }
          }
          DeviceArray stored(*module);
          const void* const from = narrow ? static_cast<const void*>(halves.data()) : weights.data();
          REQUIRE(stored.upload(from, out * in * (narrow ? 2 : 4)));
          const OnDevice device_x(*module, x);
          const OnDevice device_bias(*module, bias);
          for (const bool add : {false, true}) {
            std::vector<double> truth;
            for (std::int64_t row = 0; row < rows; ++row) {
              for (std::int64_t n = 0; n < out; ++n) {
                double sum = static_cast<double>(bias[static_cast<std::size_t>(n)]) +
                             (add ? static_cast<double>(before[static_cast<std::size_t>(row * out + n)]) : 0.0);
                for (std::int64_t i = 0; i < in; ++i) {
                  sum += static_cast<double>(x[static_cast<std::size_t>(row * in + i)]) *
                         static_cast<double>(weights[static_cast<std::size_t>(n * in + i)]);
                }
                truth.push_back(sum);
              }
            }
            for (std::size_t way = 0; way < ways.size(); ++way) {
              CAPTURE(way);
              const Numbers found = twice([&] {
                const OnDevice result(*module, before);
                kernels::LinearRow product{stored.as<void>(),
                                           narrow ? kernels::ElementType::bf16 : kernels::ElementType::f32,
                                           out,
                                           in,
                                           device_bias.data(),
                                           result.data()};
                REQUIRE(ways[way](device_x.data(), rows, product, add));
                return result.read();
              });
              check_close(found, truth, 1e-5);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("norms, gates, rotation and rounding") {
  const auto module = open_gpu_module();
  const auto& table = module->operations();
  kernels::OpenedDevice* const device = module->device();
  constexpr float eps = 1e-5F;
  for (const std::int64_t cols : sizes) {
    CAPTURE(cols);
    constexpr std::int64_t rows = 5;
    const Numbers x = some_numbers(rows * cols, 11);
    const Numbers up = some_numbers(rows * cols, 12);
    const Numbers weight = some_numbers(cols, 13);
    std::vector<double> normed;
    std::vector<double> gated;
    std::vector<double> rounded;
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* const from = x.data() + row * cols;
      double squares = 0;
      for (std::int64_t i = 0; i < cols; ++i) squares += static_cast<double>(from[i]) * static_cast<double>(from[i]);
      const double factor = 1 / std::sqrt(squares / static_cast<double>(cols) + static_cast<double>(eps));
      for (std::int64_t i = 0; i < cols; ++i) {
        const double number = static_cast<double>(from[i]);
        normed.push_back(number * factor * static_cast<double>(weight[static_cast<std::size_t>(i)]));
        gated.push_back(number / (1 + std::exp(-number)) *
                        static_cast<double>(up[static_cast<std::size_t>(row * cols + i)]));
        rounded.push_back(static_cast<double>(kernels::to_float(kernels::to_bf16(from[i]))));
      }
    }
    const OnDevice device_up(*module, up);
    const OnDevice device_weight(*module, weight);
    const auto changed = [&](const std::function<kernels::Status(float*)>& change) {
      return twice([&] {
        const OnDevice in_place(*module, x);
        REQUIRE(change(in_place.data()).ok());
        return in_place.read();
      });
    };
    check_close(changed([&](float* data) {
                  return table.rms_norm(device, data, device_weight.data(), rows, cols, eps, false, data);
                }),
                normed, 1e-6);
    check_close(changed([&](float* data) { return table.swiglu(device, data, device_up.data(), rows * cols, false); }),
                gated, 1e-6);
    check_close(changed([&](float* data) { return table.round_to_bf16(device, data, rows * cols); }), rounded, 0);
  }
  using Head = std::pair<std::int64_t, std::int64_t>;  // its numbers, and those that are turned
  for (const auto& [head_dim, rotated] : {Head{2, 2}, {64, 64}, {128, 128}, {128, 96}, {72, 2}, {40, 0}}) {
    CAPTURE(head_dim);
    CAPTURE(rotated);
    constexpr std::int64_t rows = 3;
    constexpr std::int64_t heads = 5;
    const std::int64_t half = rotated / 2;
    const Numbers x = some_numbers(rows * heads * head_dim, 14);
    const Numbers cosine = some_numbers(std::max<std::int64_t>(1, rows * half), 15);
    const Numbers sine = some_numbers(std::max<std::int64_t>(1, rows * half), 16);
    const Numbers norm = some_numbers(head_dim, 17);
    const OnDevice device_cosine(*module, cosine), device_sine(*module, sine), device_norm(*module, norm);
    for (const bool is_normed : {false, true}) {
      CAPTURE(is_normed);
      std::vector<double> truth(x.begin(), x.end());
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t head = 0; head < heads; ++head) {
          double* const of_head = truth.data() + (row * heads + head) * head_dim;
          double squares = 0;
          for (std::int64_t i = 0; i < head_dim; ++i) squares += of_head[i] * of_head[i];
          const double scale = 1 / std::sqrt(squares / static_cast<double>(head_dim) + static_cast<double>(eps));
          for (std::int64_t i = 0; i < head_dim && is_normed; ++i)
            of_head[i] *= scale * static_cast<double>(norm[static_cast<std::size_t>(i)]);
          for (std::int64_t i = 0; i < half; ++i) {
            const auto c = static_cast<double>(cosine[static_cast<std::size_t>(row * half + i)]);
            const auto s = static_cast<double>(sine[static_cast<std::size_t>(row * half + i)]);
            const double low = of_head[i], high = of_head[i + half];
            of_head[i] = low * c - high * s;
            of_head[i + half] = high * c + low * s;
          }
        }
      }
      const auto turned = [&](bool round) {
        return twice([&] {
          const OnDevice in_place(*module, x);
          REQUIRE(table
                      .turn_heads(device, in_place.data(), is_normed ? device_norm.data() : nullptr,
                                  device_cosine.data(), device_sine.data(), rows, heads, head_dim, rotated, eps, round)
                      .ok());
          return in_place.read();
        });
      };
      const Numbers found = turned(false);
      check_close(found, truth, 2e-6);
      std::vector<double> rounded;
      for (const float number : found)
        rounded.push_back(static_cast<double>(kernels::to_float(kernels::to_bf16(number))));
      check_close(turned(true), rounded, 0);
    }
  }
}

}  // namespace natscope
