// SPDX-License-Identifier: GPL-3.0-or-later
// What the engine asks of a device: how often it waits, what it downloads, which steps it replays.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/core/engine/device_run.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::check_same_record;
using test::Counter;
using test::difference;
using test::EngineRun;
using test::Environment;
using test::on_device;
using test::random_tokens;
using test::require_ok;
using test::TinyModel;
using test::value_of;
using test::Warnings;

TEST_CASE("a step waits for the device once, however many layers there are, and roles set by hand hold") {
  const Counter waits("natscope_test_device_waits");
  for (const auto& [layers, policy] :
       {std::pair{1, "model"}, {2, "model"}, {5, "model"}, {2, "h2o:5,3"}, {2, "tova:8"}}) {
    CAPTURE(layers);
    CAPTURE(policy);
    const TinyModel model(json::object({{"num_hidden_layers", layers}}));
    const EngineRun cpu(model, {.device = Device::cpu});
    const EngineRun device(model, on_device());
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    const bool takes_roles = plan.policy.kind != Policy::Kind::tova;
    for (const std::int32_t position : takes_roles ? std::vector{0, 3, 8, 20} : std::vector<std::int32_t>{}) {
      for (std::int32_t role = 0; role < role_count; ++role)
        plan.forced.push_back({LayerId(layers - 1), KvHeadId(0), TokenPos(position + role), static_cast<Role>(role)});
    }
    require_ok(cpu.engine->start(plan));
    require_ok(device.engine->start(plan));
    const std::vector<std::int32_t> tokens = random_tokens(24, 11);
    for (const std::size_t first : {0, 7}) {
      const std::span<const std::int32_t> chunk = std::span(tokens).subspan(first, first == 0 ? 7 : 13);
      const std::int64_t before = waits();
      require_ok(device.engine->prefill(chunk, {}, {}));
      CHECK(waits() - before == 2);  // the pass, its logits
      require_ok(cpu.engine->prefill(chunk, {}, {}));
    }
    for (const std::int32_t token : std::span(tokens).subspan(20)) {
      const std::int64_t before = waits();
      require_ok(device.engine->step(token, false, 0, {}));
      CHECK(waits() - before == 1);
      require_ok(cpu.engine->step(token, false, 0, {}));
    }
    check_same_record(*device.engine, *cpu.engine);
    CHECK(difference(device.engine->logits(), cpu.engine->logits()) < 1e-5);
    const TileKey last{.layer = LayerId(layers - 1), .head = HeadId(0)};
    CHECK(difference(value_of(device.engine->tile(last, {})).maximum, value_of(cpu.engine->tile(last, {})).maximum) <
          1e-5);
  }
}

TEST_CASE("queries and keys come down only where the trace store keeps them, and nothing else depends on it") {
  const Counter downloaded_bytes("natscope_test_device_downloaded_bytes");
  const std::vector<std::int32_t> tokens = random_tokens(120, 17);
  for (const char* policy : {"model", "h2o:6,4"}) {
    CAPTURE(policy);
    const TinyModel model(json::object({{"num_hidden_layers", 3}, {"max_position_embeddings", 256}}));
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    const auto run_with = [&](std::int64_t store_bytes, std::unique_ptr<EngineRun>& run) {
      EngineOptions options = on_device();
      options.trace_store_bytes = store_bytes;
      run = std::make_unique<EngineRun>(model, options);
      require_ok(run->engine->start(plan));
      const std::int64_t before = downloaded_bytes();
      require_ok(run->engine->prefill(std::span(tokens).first(80), {.chunk = 40, .candidates = 3}, {}));
      return downloaded_bytes() - before;
    };
    std::unique_ptr<EngineRun> kept;
    std::unique_ptr<EngineRun> plain;
    std::unique_ptr<EngineRun> some;
    const std::int64_t kept_bytes = run_with(1 << 20, kept);
    const std::int64_t plain_bytes = run_with(0, plain);
    const ModelConfig& config = plain->engine->config();
    const std::int64_t token_bytes =
        (config.heads + config.kv_heads) * std::int64_t{config.head_dim} * std::int64_t{sizeof(float)};
    CHECK(kept_bytes - plain_bytes >= 80 * 3 * token_bytes);
    // What a layer says of a token besides: a score and a role a head, H2O's numbers, and the logits.
    const std::int64_t small_bytes = config.kv_heads * std::int64_t{3 * sizeof(float) + 1 + 2 * sizeof(std::int32_t)};
    constexpr std::int64_t alignment_bytes = 4 * 256;
    CHECK(plain_bytes <=
          3 * (80 * small_bytes + 2 * alignment_bytes) + 80 * config.vocab * std::int64_t{sizeof(float)});
    // Room for half of it: the layers that were given up in the first chunk stay away in the second.
    const std::int64_t some_bytes = run_with(80 * 2 * token_bytes, some);
    CHECK(some_bytes < kept_bytes);
    CHECK(some_bytes > plain_bytes);

    for (EngineRun* const run : {kept.get(), plain.get(), some.get()}) {
      for (const std::int32_t token : std::span(tokens).subspan(80, 9))
        require_ok(run->engine->step(token, true, 8, {}));
      require_ok(run->engine->prefill(std::span(tokens).subspan(89), {.chunk = 16}, {}));
    }
    const Engine& truth = *kept->engine;
    for (const Engine* const found : {plain->engine.get(), some->engine.get()}) {
      CHECK(std::ranges::equal(found->logits(), truth.logits()));
      REQUIRE(found->record().size() == truth.record().size());
      for (std::size_t i = 0; i < truth.record().frames().size(); ++i) {
        const TokenFrame& a = found->record().frames()[i];
        const TokenFrame& b = truth.record().frames()[i];
        CHECK(a.roles == b.roles);
        CHECK(a.scores == b.scores);
        CHECK(a.entries == b.entries);
        CHECK(a.evicted == b.evicted);
        CHECK(a.candidates == b.candidates);
        CHECK(a.probability == b.probability);
        CHECK(a.counts.entries == b.counts.entries);
      }
      // The map of a layer that nobody kept is replayed, and the same.
      const TileKey last{.layer = LayerId(2), .head = HeadId(1)};
      CHECK(difference(value_of(found->tile(last, {})).maximum, value_of(truth.tile(last, {})).maximum) < 1e-5);
    }
  }
}

TEST_CASE("steps are done once, recorded, and replayed until something that they name has changed") {
  const Counter replays("natscope_test_device_replays");
  const TinyModel model;
  const EngineRun cpu(model, {.device = Device::cpu});
  const EngineRun device(model, on_device());
  const std::vector<std::int32_t> tokens = random_tokens(30, 21);
  const auto step = [&](std::size_t index) {
    const std::int64_t before = replays();
    require_ok(device.engine->step(tokens[index], false, 0, {}));
    require_ok(cpu.engine->step(tokens[index], false, 0, {}));
    CHECK(difference(device.engine->logits(), cpu.engine->logits()) < 1e-5);
    return replays() - before;
  };
  const auto prefill = [&](std::size_t first, std::size_t n) {
    require_ok(device.engine->prefill(std::span(tokens).subspan(first, n), {}, {}));
    require_ok(cpu.engine->prefill(std::span(tokens).subspan(first, n), {}, {}));
  };
  CHECK(step(0) == 0);
  for (const std::size_t index : {1, 2, 3}) CHECK(step(index) == 1);
  prefill(4, 9);
  CHECK(step(13) == 1);

  // An empty cache, other windows: none of them may find what was recorded for the one before.
  for (const char* policy : {"model", "window:3", "h2o:3,4", "full", "tova:6", "h2o:5,1", "window:7"}) {
    CAPTURE(policy);
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    require_ok(device.engine->start(plan));
    require_ok(cpu.engine->start(plan));
    for (std::size_t index = 0; index < 12; ++index) step(index);
    check_same_record(*device.engine, *cpu.engine);
    CHECK(step(12) == 1);
  }
}

TEST_CASE("a device that cannot record does every step anew, and says so once") {
  const Environment cannot("NATSCOPE_TEST_NO_RECORDING", "1");
  const Counter replays("natscope_test_device_replays");
  const std::int64_t before = replays();
  const TinyModel model;
  const EngineRun cpu(model, {.device = Device::cpu});
  const EngineRun device(model, on_device());
  const Warnings warnings;
  for (const std::int32_t token : random_tokens(8, 22)) {
    require_ok(device.engine->step(token, false, 0, {}));
    require_ok(cpu.engine->step(token, false, 0, {}));
    CHECK(difference(device.engine->logits(), cpu.engine->logits()) < 1e-5);
  }
  check_same_record(*device.engine, *cpu.engine);
  CHECK(replays() == before);
  const std::size_t said = warnings.text.find("no recording here");
  CHECK(said != std::string::npos);
  CHECK(warnings.text.find("no recording here", said + 1) == std::string::npos);
}

}  // namespace
}  // namespace natscope
