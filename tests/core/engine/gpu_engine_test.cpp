// SPDX-License-Identifier: GPL-3.0-or-later
// On a GPU: the engine on the demo is held to itself on the CPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/resource_path.h"
#include "core/cache/policy_names.h"
#include "core/engine/engine.h"
#include "tests/core/engine/gpu_arrays.h"
#include "tests/support/case_turns.h"
#include "tests/support/warnings.h"

namespace natscope {

using test::check_close;
using test::gpu_module;

namespace {

std::unique_ptr<Engine> demo_on(Device device) {
  auto engine = Engine::open(
      {.model = demo_model_path(), .device = device, .dtype = kernels::ElementType::f32, .device_module = gpu_module},
      {});
  REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message));
  return std::move(*engine);
}

/// Under a rule that keeps 8 * size entries by their scores: a prompt of 19 * size tokens, in chunks, and 6 * size more
/// one by one.
std::unique_ptr<Engine> demo_after_reading(Device device, Policy::Kind kind, std::int32_t size) {
  std::unique_ptr<Engine> engine = demo_on(device);
  RolePlan plan;
  plan.policy.kind = kind;
  plan.policy.heavy = 5 * size;
  plan.policy.recent = 3 * size;
  REQUIRE(engine->start(std::move(plan)));
  std::vector<std::int32_t> tokens;
  for (std::int32_t i = 0; i < 25 * size; ++i) tokens.push_back(3 + i * 7919 % 1000);
  const auto prompt = static_cast<std::size_t>(19 * size);
  REQUIRE(engine->prefill(std::span(tokens).first(prompt), {.chunk = 9 * size}, {}));
  for (const std::int32_t token : std::span(tokens).subspan(prompt)) REQUIRE(engine->step(token, false, 0, {}));
  return engine;
}

/// Steps that could not be recorded are right, and slow.
bool recorded_all(const test::Warnings& warnings) {
  return warnings.text.find("steps are slower") == std::string::npos;
}

}  // namespace

TEST_CASE("the demo on LibTorch's flash attention says what it says with every role Global") {
  std::vector<float> logits[2];
  for (const PromptAttention attention : {PromptAttention::flash, PromptAttention::own}) {
    auto engine = Engine::open({.model = demo_model_path(),
                                .device = Device::cuda,
                                .dtype = kernels::ElementType::bf16,
                                .prompt_attention = attention,
                                .device_module = gpu_module},
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

TEST_CASE("H2O on the demo holds as many entries as on the CPU, and reads the prompt as it does") {
  const std::int32_t size = test::CaseTurns().one_in() > 1 ? 2 : 8;
  std::vector<float> logits[2];
  std::vector<std::int32_t> entries[2];
  for (const Device device : {Device::cpu, Device::cuda}) {
    const std::unique_ptr<Engine> engine = demo_after_reading(device, Policy::Kind::h2o, size);
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

void check_prompt_end(Policy::Kind kind) {
  CAPTURE(policy_name(kind));
  const std::int32_t size = test::CaseTurns().one_in() > 1 ? 2 : 8;
  std::vector<float> logits[2];
  std::vector<std::vector<EvictedEntry>> evicted[2];
  for (const Device device : {Device::cpu, Device::cuda}) {
    const std::unique_ptr<Engine> engine = demo_after_reading(device, kind, size);
    const std::size_t which = device == Device::cpu ? 0 : 1;
    logits[which].assign(engine->logits().begin(), engine->logits().end());
    for (const TokenFrame& frame : engine->record().frames()) evicted[which].push_back(frame.evicted);
    CHECK(engine->counts().entries ==
          std::int64_t{14} * size * engine->geometry().layers * engine->geometry().kv_heads);
  }
  // A choice between scores that are equal to rounding may fall otherwise, and moves an attention weight that is small.
  std::size_t same = 0;
  const std::vector<EvictedEntry>& of_cpu = evicted[0][static_cast<std::size_t>(19 * size) - 1];
  const std::vector<EvictedEntry>& of_gpu = evicted[1][static_cast<std::size_t>(19 * size) - 1];
  REQUIRE(of_cpu.size() == of_gpu.size());
  for (const EvictedEntry& entry : of_cpu) same += std::ranges::find(of_gpu, entry) != of_gpu.end() ? 1 : 0;
  CHECK(static_cast<double>(same) > 0.95 * static_cast<double>(of_cpu.size()));
  check_close(logits[1], {logits[0].begin(), logits[0].end()}, 2e-2);
}

TEST_CASE("of a prompt stays on the demo what stays on the CPU") {
  for (const Policy::Kind kind : {Policy::Kind::snapkv, Policy::Kind::pyramidkv, Policy::Kind::adakv})
    check_prompt_end(kind);
}

TEST_CASE("512 greedy tokens of the demo are the CPU's, in f32") {
  GenerateOptions options;
  options.max_new_tokens = static_cast<std::int64_t>(512 / test::CaseTurns().one_in());
  options.sampling.greedy = true;
  std::vector<std::int32_t> found[2];
  std::int64_t entries[2] = {};
  const test::Warnings warnings;
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
  CHECK(recorded_all(warnings));
}

TEST_CASE("a larger budget of H2O, met by a single token, is recorded as a smaller one is") {
  const test::Warnings warnings;
  const std::unique_ptr<Engine> engine = demo_on(Device::cuda);
  for (const std::int32_t budget : {8, 900}) {
    RolePlan plan;
    plan.policy.kind = Policy::Kind::h2o;
    plan.policy.heavy = budget;
    plan.policy.recent = 4;
    REQUIRE(engine->start(std::move(plan)));
    REQUIRE(engine->prefill(std::vector<std::int32_t>{3}, {}, {}));
    for (std::int32_t token = 4; token < 7; ++token) REQUIRE(engine->step(token, false, 0, {}));
  }
  CHECK(recorded_all(warnings));
}

}  // namespace natscope
