// SPDX-License-Identifier: GPL-3.0-or-later
// What a prompt's chunks attend with when something is measured. Flash attention: which keys a chunk sees, and the
// engine on it; on a device of ordinary memory it computes by the formula, and on a GPU it holds LibTorch's to that
// formula when it is opened. And chunks that see themselves alone.
#include "core/engine/passes/flash_attention.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/core/engine/engine_run.h"
#include "tests/core/engine/modules/host_device.h"

namespace natscope {
namespace {

using kernels::ElementType;
using kernels::View;
using test::EngineRun;
using test::prefill_all;
using test::random_tokens;
using test::require_ok;
using test::Table;
using test::TinyModel;
using test::value_of;

constexpr float poison = std::numeric_limits<float>::quiet_NaN();

/// Rows of tokens, as a pass keeps them: [tokens, heads, head_dim], seen as [heads, n, head_dim].
struct Rows {
  Rows(std::int64_t token_count, std::int64_t head_count, std::int64_t dim)
      : heads(head_count), head_dim(dim), numbers(static_cast<std::size_t>(token_count * head_count * dim), poison) {}
  void fill(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    for (float& number : numbers) number = kernels::to_float(kernels::to_bf16(normal(random)));
  }
  [[nodiscard]] View<float, 3> view(std::int64_t first, std::int64_t n) {
    return {numbers.data() + first * heads * head_dim, {heads, n, head_dim}, {head_dim, heads * head_dim, 1}};
  }
  [[nodiscard]] at::Tensor tensor() {
    const std::int64_t tokens = static_cast<std::int64_t>(numbers.size()) / (heads * head_dim);
    return at::from_blob(numbers.data(), {tokens, heads, head_dim}).transpose(0, 1).unsqueeze(0);
  }

  std::int64_t heads;
  std::int64_t head_dim;
  std::vector<float> numbers;
};

struct Opened {
  explicit Opened(std::int32_t heads, std::int32_t kv_heads, std::int32_t head_dim, std::int32_t context)
      : module(value_of(DeviceModule::open(test::host_device_module))) {
    config.heads = heads;
    config.context = context;
    attention = value_of(open_flash_attention(*module, config, {2, kv_heads, head_dim, ElementType::bf16}));
  }
  ModelConfig config;
  std::unique_ptr<DeviceModule> module;
  std::unique_ptr<ChunkAttention> attention;
};

}  // namespace

TEST_CASE("a chunk behind a longer past: token i sees its past and itself, and nothing after") {
  // Zero keys weigh all that is seen alike, so that the result is the mean of the values seen, which are 0, 1, 2, …
  constexpr std::int64_t tokens = 7;
  const Opened opened(2, 1, 8, tokens);
  Rows queries(tokens, 2, 8);
  queries.fill(1);
  Rows keys(tokens, 1, 8);
  std::ranges::fill(keys.numbers, 0.0F);
  Rows values(tokens, 1, 8);
  for (std::size_t i = 0; i < values.numbers.size(); ++i) values.numbers[i] = static_cast<float>(i / 8);
  for (const std::int64_t chunk : {7, 3, 2, 1}) {
    CAPTURE(chunk);
    opened.attention->reset();
    for (std::int64_t first = 0; first < tokens; first += chunk) {
      const std::int64_t n = std::min(chunk, tokens - first);
      Rows out(n, 2, 8);
      std::vector<float> lse(static_cast<std::size_t>(2 * n), poison);
      require_ok(opened.attention->run(LayerId(1), TokenPos(static_cast<std::int32_t>(first)), queries.view(first, n),
                                       keys.view(first, n), values.view(first, n), out.view(0, n),
                                       View<float, 2>::packed(lse.data(), {2, n})));
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t head = 0; head < 2; ++head) {
          for (std::int64_t d = 0; d < 8; ++d)
            CHECK(out.view(0, n)(head, i, d) == doctest::Approx(static_cast<double>(first + i) / 2));
          CHECK(lse[static_cast<std::size_t>(head * n + i)] ==
                doctest::Approx(std::log(static_cast<double>(first + i + 1))));
        }
      }
      CHECK(opened.attention->counts().entries == first + n);
    }
    CHECK(opened.attention->counts().allocated_bytes == tokens * 2 * 8 * 2);
  }
  opened.attention->reset();
  CHECK(opened.attention->counts().entries == 0);
}

TEST_CASE("groups of heads and layers side by side: LibTorch's own attention with the mask written out") {
  constexpr std::int64_t tokens = 45;
  const Opened opened(6, 2, 16, 64);
  for (std::int32_t layer = 0; layer < 2; ++layer) {
    Rows queries(tokens, 6, 16);
    Rows keys(tokens, 2, 16);
    Rows values(tokens, 2, 16);
    queries.fill(static_cast<std::uint64_t>(layer) + 10);
    keys.fill(static_cast<std::uint64_t>(layer) + 20);
    values.fill(static_cast<std::uint64_t>(layer) + 30);
    for (const auto& [first, n] : {std::pair{0, 20}, std::pair{20, 1}, std::pair{21, 24}}) {
      Rows out(n, 6, 16);
      std::vector<float> lse(static_cast<std::size_t>(6 * n), poison);
      require_ok(opened.attention->run(LayerId(layer), TokenPos(first), queries.view(first, n), keys.view(first, n),
                                       values.view(first, n), out.view(0, n),
                                       View<float, 2>::packed(lse.data(), {6, n})));
      const at::Tensor seen = at::ones({n, first + n}, at::kBool).tril(first);
      const at::Tensor truth = at::scaled_dot_product_attention(
          queries.tensor().narrow(2, first, n), keys.tensor().narrow(2, 0, first + n).repeat_interleave(3, 1),
          values.tensor().narrow(2, 0, first + n).repeat_interleave(3, 1), seen);
      CHECK(out.tensor().sub(truth).abs().max().item<double>() < 1e-5);
      for (const float number : lse) CHECK(std::isfinite(number));
    }
  }
}

TEST_CASE("the engine on it reads a prompt as on the CPU with every role Global") {
  // With score layers, which are computed and overruled.
  const TinyModel model(nlohmann::json::object(), DType::bf16);
  RolePlan full;
  full.policy = value_of(parse_policy("full"));
  const EngineRun cpu(model, {.device = Device::cpu, .dtype = ElementType::bf16});
  const EngineRun flash(model, {.device = Device::cuda,
                                .dtype = ElementType::bf16,
                                .prompt_attention = PromptAttention::flash,
                                .device_module = test::host_device_module});
  const std::vector<std::int32_t> tokens = random_tokens(48, 3);
  require_ok(cpu.engine->start(full));
  const Table<float> truth = prefill_all(*cpu.engine, tokens, 48);
  for (const std::int64_t chunk : {48, 24, 7}) {  // 7: the last one is of 6
    CAPTURE(chunk);
    require_ok(flash.engine->start(full));
    const Table<float> found = prefill_all(*flash.engine, tokens, chunk);
    double largest = 0;
    double apart = 0;
    for (std::size_t row = 0; row < truth.size(); ++row) {
      for (std::size_t i = 0; i < truth[row].size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(truth[row][i])));
        const double difference = std::abs(static_cast<double>(found[row][i]) - static_cast<double>(truth[row][i]));
        if (!(difference <= apart)) apart = difference;
      }
    }
    CHECK(apart < 2e-2 * largest);
    CHECK(flash.engine->counts().entries == cpu.engine->counts().entries);
    CHECK(flash.engine->counts().fraction == 1);
  }
}

TEST_CASE("chunks that see themselves alone fill the cache as it would be, and steps see all of it") {
  const TinyModel model;
  RolePlan plan;
  const EngineRun own(model,
                      {.device = Device::cuda, .dtype = ElementType::f32, .device_module = test::host_device_module});
  const EngineRun alone(model, {.device = Device::cuda,
                                .dtype = ElementType::f32,
                                .prompt_attention = PromptAttention::alone,
                                .device_module = test::host_device_module});
  const std::vector<std::int32_t> tokens = random_tokens(40, 3);
  const auto largest_difference = [](std::span<const float> a, std::span<const float> b) {
    double apart = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      apart = std::max(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    return apart;
  };
  for (const char* const policy : {"full", "window:5"}) {
    CAPTURE(policy);
    plan.policy = value_of(parse_policy(policy));
    require_ok(own.engine->start(plan));
    require_ok(alone.engine->start(plan));
    const Table<float> truth = prefill_all(*own.engine, tokens, 20);
    const Table<float> found = prefill_all(*alone.engine, tokens, 20);
    for (std::size_t row = 0; row < 20; ++row) CHECK(largest_difference(found[row], truth[row]) < 1e-5);
    CHECK(largest_difference(found[20], truth[20]) > 1e-3);  // the second chunk has no past
    CHECK(alone.engine->counts().entries == own.engine->counts().entries);
    CHECK(alone.engine->counts().allocated_bytes == own.engine->counts().allocated_bytes);
    require_ok(alone.engine->step(tokens[0], true, 0, {}));
    require_ok(own.engine->step(tokens[0], true, 0, {}));
    CHECK(alone.engine->counts().entries == own.engine->counts().entries);
  }
  // A chunk that is the whole text: the step after it is the model's.
  require_ok(own.engine->start(plan));
  require_ok(alone.engine->start(plan));
  require_ok(own.engine->prefill(tokens, {}, {}));
  require_ok(alone.engine->prefill(tokens, {}, {}));
  require_ok(own.engine->step(tokens[0], true, 0, {}));
  require_ok(alone.engine->step(tokens[0], true, 0, {}));
  CHECK(largest_difference(alone.engine->logits(), own.engine->logits()) < 1e-5);
}

TEST_CASE("what it cannot do is refused, and the sequence goes on") {
  const TinyModel model;
  const EngineOptions options{.device = Device::cuda,
                              .dtype = ElementType::bf16,
                              .prompt_attention = PromptAttention::flash,
                              .device_module = test::host_device_module};
  const EngineRun run(model, options);
  const std::vector<std::int32_t> tokens = random_tokens(20, 4);
  require_ok(run.engine->prefill(std::span(tokens).first(10), {}, {}));
  CHECK(run.engine->step(tokens[10], false, 0, {}).error().code == ErrorCode::usage);
  CHECK(run.engine->prefill(std::span(tokens).subspan(10, 1), {}, {}).error().code == ErrorCode::usage);
  CHECK(run.engine->record().size() == 10);
  require_ok(run.engine->prefill(std::span(tokens).subspan(10), {.chunk = 5}, {}));
  CHECK(run.engine->counts().entries == 20 * 2 * 2);

  RolePlan window;
  window.policy = value_of(parse_policy("window:5"));
  CHECK(run.engine->start(window).error().code == ErrorCode::usage);
  CHECK(run.engine->start({}).error().code == ErrorCode::usage);  // the model's own roles

  EngineOptions other = options;
  other.model = run.folder.path();
  other.dtype = ElementType::f32;
  CHECK(Engine::open(other, {}).error().code == ErrorCode::usage);
  other.dtype = ElementType::bf16;
  other.device = Device::automatic;
  CHECK(Engine::open(other, {}).error().code == ErrorCode::usage);
}

}  // namespace natscope
