// SPDX-License-Identifier: GPL-3.0-or-later
// On a GPU: the module's table, its products and small kernels held to plain loops in double, and the engine held to
// itself on the CPU.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "core/base/resource_path.h"
#include "core/engine/device_module.h"
#include "core/engine/engine.h"
#include "core/engine/torch_products.h"
#include "tests/kernels/case_turns.h"

namespace natscope {
namespace {

using Numbers = std::vector<float>;

const std::filesystem::path the_module = NATSCOPE_CUDA_MODULE;

Numbers some_numbers(std::int64_t size, std::uint64_t seed) {
  Numbers numbers(static_cast<std::size_t>(size));
  for (float& number : numbers) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    number = static_cast<float>(static_cast<double>(seed >> 11U) * 0x1p-52 - 1);
  }
  return numbers;
}

std::unique_ptr<DeviceModule> opened() {
  auto module = DeviceModule::open(the_module);
  REQUIRE_MESSAGE(module, (module ? "" : module.error().message));
  return std::move(*module);
}

/// A NaN-poisoned guard stands behind what is uploaded.
class OnDevice {
 public:
  OnDevice(const DeviceModule& module, const Numbers& numbers)
      : module_(module), array_(module), size_(numbers.size()) {
    Numbers guarded = numbers;
    guarded.resize(size_ + guard, std::nanf(""));
    REQUIRE(array_.upload(guarded.data(), static_cast<std::int64_t>(guarded.size() * sizeof(float))));
  }
  [[nodiscard]] float* data() const { return array_.as(); }
  [[nodiscard]] Numbers read() const {
    Numbers numbers(size_ + guard);
    const auto& table = module_.operations();
    REQUIRE(table
                .download(module_.device(), numbers.data(), data(),
                          static_cast<std::int64_t>(numbers.size() * sizeof(float)))
                .ok());
    REQUIRE(table.wait(module_.device()).ok());
    for (std::size_t i = size_; i < numbers.size(); ++i) REQUIRE(std::isnan(numbers[i]));
    numbers.resize(size_);
    return numbers;
  }

 private:
  static constexpr std::size_t guard = 64;
  const DeviceModule& module_;
  DeviceArray array_;
  std::size_t size_;
};

void check_close(const Numbers& found, const std::vector<double>& truth, double tolerance) {
  REQUIRE(found.size() == truth.size());
  double largest = 0;
  double scale = 1e-30;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double apart = std::abs(static_cast<double>(found[i]) - truth[i]);
    if (!(apart <= largest)) largest = apart;  // NaN counts
    scale = std::max(scale, std::abs(truth[i]));
  }
  CHECK(largest / scale <= tolerance);
}

/// Both runs have to give equal bits.
Numbers twice(const std::function<Numbers()>& once) {
  const Numbers first = once();
  const Numbers second = once();
  CHECK(std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0);
  return first;
}

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

TEST_CASE("the module opens, copies, and closes with nothing left") {
  for (int round = 0; round < 2; ++round) {
    const auto module = opened();
    CHECK(std::strlen(module->description().name) > 0);
    CHECK(module->description().memory_bytes > 0);
    const Numbers numbers = some_numbers(1000, 3);
    CHECK(OnDevice(*module, numbers).read() == numbers);
  }
}

TEST_CASE("more memory than there is is an error, and the device goes on") {
  const auto module = opened();
  void* memory = nullptr;
  const auto& table = module->operations();
  CHECK(table.allocate(module->device(), std::int64_t{1} << 50U, &memory).code == kernels::StatusCode::out_of_memory);
  const Numbers numbers = some_numbers(10, 4);
  CHECK(OnDevice(*module, numbers).read() == numbers);
}

TEST_CASE("products of rows, f32 and bf16 weights, with and without bias") {
  const auto module = opened();
  const std::vector<Multiply> ways = ways_to_multiply(*module);
  tests::CaseTurns turns;
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
  const auto module = opened();
  const auto& table = module->operations();
  void* const device = module->device();
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
  for (const std::int64_t head_dim : {2, 64, 128}) {
    CAPTURE(head_dim);
    constexpr std::int64_t rows = 3;
    constexpr std::int64_t heads = 5;
    const std::int64_t half = head_dim / 2;
    const Numbers x = some_numbers(rows * heads * head_dim, 14);
    const Numbers cosine = some_numbers(rows * half, 15);
    const Numbers sine = some_numbers(rows * half, 16);
    std::vector<double> truth(x.begin(), x.end());
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t head = 0; head < heads; ++head) {
        for (std::int64_t i = 0; i < half; ++i) {
          const auto low = static_cast<std::size_t>((row * heads + head) * head_dim + i);
          const auto high = low + static_cast<std::size_t>(half);
          const auto c = static_cast<double>(cosine[static_cast<std::size_t>(row * half + i)]);
          const auto s = static_cast<double>(sine[static_cast<std::size_t>(row * half + i)]);
          truth[low] = static_cast<double>(x[low]) * c - static_cast<double>(x[high]) * s;
          truth[high] = static_cast<double>(x[high]) * c + static_cast<double>(x[low]) * s;
        }
      }
    }
    const OnDevice device_cosine(*module, cosine);
    const OnDevice device_sine(*module, sine);
    check_close(twice([&] {
                  const OnDevice in_place(*module, x);
                  REQUIRE(table
                              .turn_heads(device, in_place.data(), nullptr, device_cosine.data(), device_sine.data(),
                                          rows, heads, head_dim, eps, false)
                              .ok());
                  return in_place.read();
                }),
                truth, 1e-6);
  }
}

TEST_CASE("a step's products have the bits of norm, products and gate one after the other") {
  const auto module = opened();
  const auto& table = module->operations();
  void* const device = module->device();
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
          CHECK(found[i].read() == before[i].read());
        }
      }
    }
  }
}

TEST_CASE("a step's heads have the bits of turning, rounding and roles one after the other") {
  const auto module = opened();
  const auto& table = module->operations();
  void* const device = module->device();
  for (const std::int32_t kv_heads : {1, 3, 40}) {
    for (const std::int32_t head_dim : {2, 64, 128}) {
      for (const bool round : {false, true}) {
        CAPTURE(kv_heads);
        CAPTURE(head_dim);
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
                                eps, round)
                    .ok());
        REQUIRE(table
                    .turn_heads(device, keys[0].data(), nullptr, cosine.data(), sine.data(), 1, kv_heads, head_dim, eps,
                                round)
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

TEST_CASE("a recording names the memory that it was made with, and is not done when that has moved") {
  const auto module = opened();
  const auto& table = module->operations();
  void* const device = module->device();
  void* cache = nullptr;
  const kernels::KvCacheShape shape{1, 1, 8, kernels::ElementType::f32};
  REQUIRE(table.create_cache(device, &shape, 64, &cache).ok());
  const OnDevice x(*module, {1, 2, 3});
  const OnDevice other(*module, {1, 2, 3});
  REQUIRE(table.swiglu(device, other.data(), other.data(), 3, false).ok());  // done once, so that it can be recorded
  REQUIRE(table.wait(device).ok());
  void* recording = nullptr;
  CHECK_FALSE(table.end_recording(device, &recording).ok());
  REQUIRE(table.begin_recording(device).ok());
  CHECK_FALSE(table.begin_recording(device).ok());
  REQUIRE(table.swiglu(device, x.data(), x.data(), 3, false).ok());
  REQUIRE(table.end_recording(device, &recording).ok());
  CHECK(x.read() == Numbers{1, 2, 3});  // kept, not done
  REQUIRE(table.replay(device, recording).ok());
  const Numbers once = x.read();
  CHECK(once != Numbers{1, 2, 3});
  REQUIRE(table.replay(device, recording).ok());
  CHECK(x.read() != once);
  CHECK(table.is_current(device, recording));
  REQUIRE(table.reset_cache(device, cache, 4, nullptr).ok());
  CHECK_FALSE(table.is_current(device, recording));
  CHECK_FALSE(table.replay(device, recording).ok());
  table.free_recording(device, recording);
  table.free_cache(device, cache);
}

TEST_CASE("the demo on LibTorch's flash attention says what it says with every role Global") {
  std::vector<float> logits[2];
  for (const PromptAttention attention : {PromptAttention::flash, PromptAttention::own}) {
    auto engine = Engine::open({.model = resource_path("demo"),
                                .device = Device::cuda,
                                .dtype = kernels::ElementType::bf16,
                                .prompt_attention = attention,
                                .device_module = the_module},
                               {});
    if (!engine && attention == PromptAttention::flash && engine.error().code == ErrorCode::device_unavailable) {
      MESSAGE("not run: " << engine.error().message);
      return;
    }
    REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message));
    RolePlan plan;
    plan.policy.kind = Policy::Kind::full;
    REQUIRE((*engine)->start(std::move(plan)));
    std::vector<std::int32_t> tokens;
    for (std::int32_t i = 0; i < 300; ++i) tokens.push_back(3 + i * 7919 % 1000);
    REQUIRE((*engine)->prefill(tokens, {.chunk = 100}, {}));
    const std::span<const float> last = (*engine)->logits();
    logits[attention == PromptAttention::own ? 0 : 1].assign(last.begin(), last.end());
  }
  check_close(logits[1], {logits[0].begin(), logits[0].end()}, 3e-2);
}

namespace {

std::unique_ptr<Engine> demo_on(Device device) {
  auto engine = Engine::open({.model = resource_path("demo"),
                              .device = device,
                              .dtype = kernels::ElementType::f32,
                              .device_module = the_module},
                             {});
  REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message));
  return std::move(*engine);
}

}  // namespace

TEST_CASE("H2O on the demo holds as many entries as on the CPU, and reads the prompt as it does") {
  const std::int32_t size = tests::CaseTurns().one_in() > 1 ? 2 : 8;
  std::vector<float> logits[2];
  std::vector<std::int32_t> entries[2];
  for (const Device device : {Device::cpu, Device::cuda}) {
    const std::unique_ptr<Engine> engine = demo_on(device);
    RolePlan plan;
    plan.policy.kind = Policy::Kind::h2o;
    plan.policy.heavy = 5 * size;
    plan.policy.recent = 3 * size;
    REQUIRE(engine->start(std::move(plan)));
    std::vector<std::int32_t> tokens;
    for (std::int32_t i = 0; i < 25 * size; ++i) tokens.push_back(3 + i * 7919 % 1000);
    const auto prompt = static_cast<std::size_t>(19 * size);
    REQUIRE(engine->prefill(std::span(tokens).first(prompt), {.chunk = 9 * size}, {}));
    for (const std::int32_t token : std::span(tokens).subspan(prompt)) REQUIRE(engine->step(token, false, 0, {}));
    const std::size_t which = device == Device::cpu ? 0 : 1;
    logits[which].assign(engine->logits().begin(), engine->logits().end());
    for (const TokenFrame& frame : engine->record().frames())
      entries[which].insert(entries[which].end(), frame.entries.begin(), frame.entries.end());
    CHECK(engine->counts().entries == std::int64_t{8 * size} * engine->geometry().layers * engine->geometry().kv_heads);
  }
  CHECK(entries[1] == entries[0]);
  // A choice between scores that are equal to rounding may fall otherwise, and moves an attention weight that is small.
  check_close(logits[1], {logits[0].begin(), logits[0].end()}, 2e-2);
}

TEST_CASE("512 greedy tokens of the demo are the CPU's, in f32") {
  GenerateOptions options;
  options.max_new_tokens = static_cast<std::int64_t>(512 / tests::CaseTurns().one_in());
  options.sampling.greedy = true;
  std::vector<std::int32_t> found[2];
  std::int64_t entries[2] = {};
  for (const Device device : {Device::cpu, Device::cuda}) {
    const std::unique_ptr<Engine> engine = demo_on(device);
    REQUIRE(engine->device() == device);
    const auto tokens = engine->tokenize("Alice was beginning to get very tired of sitting by her sister");
    REQUIRE(tokens);
    REQUIRE(engine->start({}));
    REQUIRE(engine->prefill(*tokens, {}, {}));
    const auto result = engine->generate(options, {});
    REQUIRE(result);
    const std::size_t which = device == Device::cpu ? 0 : 1;
    found[which] = result->tokens;
    entries[which] = engine->counts().entries;
  }
  CHECK(static_cast<std::int64_t>(found[0].size()) > options.max_new_tokens / 8);
  CHECK(found[1] == found[0]);
  CHECK(entries[1] == entries[0]);
}

}  // namespace natscope
