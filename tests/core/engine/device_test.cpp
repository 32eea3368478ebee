// SPDX-License-Identifier: GPL-3.0-or-later
// The engine on a device: a module that is not one is refused, and on a device made of ordinary memory
// (modules/host_device.cpp) everything comes out as on the CPU.
#include <doctest/doctest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "tests/core/engine/device_run.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::check_same_record;
using test::difference;
using test::EngineRun;
using test::Environment;
using test::on_device;
using test::prefill_all;
using test::random_tokens;
using test::require_ok;
using test::Table;
using test::TinyModel;
using test::value_of;
using test::Warnings;

const std::filesystem::path modules = NATSCOPE_TEST_MODULES_DIR;
const std::filesystem::path& host_device = test::host_device_module;

TEST_CASE("what is no module, or no device, is refused by one sentence, and auto computes on the CPU") {
  const test::TemporaryFolder folder;
  const TinyModel model;
  model.write(folder.path());
  const std::filesystem::path text = folder.path() / "text.so";
  std::ofstream(text) << "no library";

  struct Refused {
    std::filesystem::path module;
    const char* variable;
    const char* value;
    ErrorCode code;
    const char* says;
    bool warns;
  };
  const Refused cases[] = {
      {folder.path() / "not-there.so", nullptr, nullptr, ErrorCode::device_unavailable, "no GPU backend", false},
      {text, nullptr, nullptr, ErrorCode::device_unavailable, "cannot be loaded", true},
      {modules / "libnatscope_empty_module.so", nullptr, nullptr, ErrorCode::device_unavailable, "is no GPU backend",
       true},
      {modules / "libnatscope_other_version.so", nullptr, nullptr, ErrorCode::device_unavailable, "version 4711", true},
      {host_device, "NATSCOPE_TEST_NO_DEVICE", "1", ErrorCode::device_unavailable, "no such device here", true},
      {host_device, "NATSCOPE_TEST_SMALL_DEVICE", "1", ErrorCode::device_unavailable,
       "the GPU cannot take this model: heads of this size do not fit it", true},
      {host_device, "NATSCOPE_TEST_DEVICE_BYTES", "20000", ErrorCode::out_of_memory,
       "take 1 MiB of GPU memory, and 0 MiB of 0 MiB are free", true},
      {host_device, "NATSCOPE_TEST_NO_CACHE_MEMORY", "1", ErrorCode::out_of_memory, "cache: no memory left", true},
  };
  for (const Refused& refused : cases) {
    CAPTURE(refused.says);
    std::optional<Environment> set;
    if (refused.variable != nullptr) set.emplace(refused.variable, refused.value);
    const EngineOptions options{.model = folder.path(), .device = Device::cuda, .device_module = refused.module};
    const auto opened = Engine::open(options, {});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == refused.code);
    CHECK(opened.error().message.find(refused.says) != std::string::npos);

    EngineOptions automatic = options;
    automatic.device = Device::automatic;
    const Warnings warnings;
    const auto engine = value_of(Engine::open(automatic, {}));
    CHECK(engine->device() == Device::cpu);
    CHECK(engine->dtype() == kernels::ElementType::f32);
    CHECK((warnings.text.find("computing on the CPU") != std::string::npos) == refused.warns);
    require_ok(engine->prefill(random_tokens(5, 1), {}, {}));
  }
}

TEST_CASE("without LibTorch's CUDA part the module multiplies, and the log says once what that costs") {
  if (std::filesystem::exists("/dev/nvidia0")) {
    MESSAGE("not run: LibTorch would take the pointers for a GPU's");
    return;
  }
  const TinyModel model;
  const EngineRun cpu(model, {.device = Device::cpu});
  const Environment stream("NATSCOPE_TEST_DEVICE_STREAM", "1");
  const Warnings warnings;
  const EngineRun device(model, on_device());
  const EngineRun again(model, on_device());
  const std::size_t said = warnings.text.find("prompts are read slowly");
  REQUIRE(said != std::string::npos);
  CHECK(warnings.text.find("LibTorch's CUDA cannot be loaded") != std::string::npos);
  CHECK(warnings.text.find("prompts are read slowly", said + 1) == std::string::npos);
  const std::vector<std::int32_t> tokens = random_tokens(40, 3);
  const Table<float> truth = prefill_all(*cpu.engine, tokens, 40);
  const Table<float> found = prefill_all(*device.engine, tokens, 40);
  for (std::size_t row = 0; row < truth.size(); ++row) CHECK(difference(found[row], truth[row]) < 1e-5);
}

/// Both begin anew, and give every token the same logits.
void check_prefill(const EngineRun& device, const EngineRun& cpu, const RolePlan& plan,
                   const std::vector<std::int32_t>& tokens, std::int64_t chunk, double bound) {
  require_ok(cpu.engine->start(plan));
  require_ok(device.engine->start(plan));
  const Table<float> truth = prefill_all(*cpu.engine, tokens, chunk);
  const Table<float> found = prefill_all(*device.engine, tokens, chunk);
  for (std::size_t row = 0; row < truth.size(); ++row) CHECK(difference(found[row], truth[row]) < bound);
}

TEST_CASE("memory that runs out in a pass is an error, and nothing of the pass is written down") {
  const TinyModel model;
  const EngineRun run(model);
  for (const char* bytes : {"60000", "80000", "100000", "140000"}) {
    const Environment limit("NATSCOPE_TEST_DEVICE_BYTES", bytes);
    EngineOptions options = on_device();
    options.model = run.folder.path();
    const auto opened = Engine::open(options, {});
    if (!opened) {
      CHECK(opened.error().code == ErrorCode::out_of_memory);
      continue;
    }
    for (std::int64_t chunk = 1; chunk <= 64; chunk *= 2) {
      require_ok((*opened)->start({}));
      const auto done = (*opened)->prefill(random_tokens(64, 1), {.chunk = chunk}, {});
      if (done) continue;
      CHECK(done.error().code == ErrorCode::out_of_memory);
      CHECK((*opened)->record().size() % chunk == 0);
    }
  }
}

TEST_CASE("memory that is there, and idle elsewhere, is taken at the second try") {
  const TinyModel model;
  const EngineRun cpu(model, {.device = Device::cpu});
  const std::vector<std::int32_t> tokens = random_tokens(40, 3);
  const Environment idle("NATSCOPE_TEST_IDLE_MEMORY", "1");
  const EngineRun device(model, on_device());
  for (const char* policy : {"model", "h2o:6,4"}) {
    CAPTURE(policy);
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    for (const std::int64_t chunk : {1, 7, 40}) {
      CAPTURE(chunk);
      check_prefill(device, cpu, plan, tokens, chunk, 1e-5);
      check_same_record(*device.engine, *cpu.engine);
    }
  }
}

TEST_CASE("auto takes a device, in bf16") {
  EngineOptions options{.device_module = host_device};
  const EngineRun run(TinyModel(), options);
  CHECK(run.engine->device() == Device::cuda);
  CHECK(run.engine->dtype() == kernels::ElementType::bf16);
}

TEST_CASE("chunks, steps and generation come out as on the CPU") {
  for (const json& config : {json::object(), json::object({{"num_key_value_heads", 1}, {"num_attention_heads", 3}}),
                             json::object({{"num_hidden_layers", 3}, {"tie_word_embeddings", true}})}) {
    for (const auto dtype : {kernels::ElementType::f32, kernels::ElementType::bf16}) {
      CAPTURE(config.dump());
      CAPTURE(kernels::element_bytes(dtype));
      const double bound = dtype == kernels::ElementType::f32 ? 1e-5 : 2e-2;
      const TinyModel model(config, dtype == kernels::ElementType::f32 ? DType::f32 : DType::bf16);
      const EngineRun cpu(model, {.device = Device::cpu, .dtype = dtype});
      const EngineRun device(model, on_device(dtype));
      CHECK(device.engine->device() == Device::cuda);
      const std::vector<std::int32_t> tokens = random_tokens(40, 3);
      for (const char* policy :
           {"model", "full", "window:5", "h2o:6,4", "h2o:0,3", "h2o:5,0", "h2o:900,1", "tova:7", "tova:1",
            "snapkv:12,5", "snapkv:3,1", "snapkv:900,8", "pyramidkv:16,4", "adakv:16,4"}) {
        CAPTURE(policy);
        // Two ways of rounding may choose otherwise between scores that are nearly equal.
        if (dtype == kernels::ElementType::bf16 && !has_roles(policy) && policy[0] != 't') continue;
        RolePlan plan;
        plan.policy = value_of(parse_policy(policy));
        for (const std::int64_t chunk : {1, 7, 40}) {
          CAPTURE(chunk);
          check_prefill(device, cpu, plan, tokens, chunk, bound);
          if (dtype == kernels::ElementType::f32) check_same_record(*device.engine, *cpu.engine);
        }
        if (dtype == kernels::ElementType::bf16) continue;  // two ways of rounding may part at a near tie
        GenerateOptions options;
        options.max_new_tokens = 16;
        options.sampling.greedy = true;
        CHECK(value_of(device.engine->generate(options, {})).tokens ==
              value_of(cpu.engine->generate(options, {})).tokens);
        check_same_record(*device.engine, *cpu.engine);
        const AttentionTile found = value_of(device.engine->tile({.layer = LayerId(1), .head = HeadId(2)}, {}));
        const AttentionTile truth = value_of(cpu.engine->tile({.layer = LayerId(1), .head = HeadId(2)}, {}));
        CHECK(difference(found.maximum, truth.maximum) < bound);
      }
    }
  }
}

TEST_CASE("models of every supported kind come out as on the CPU") {
  int models = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(NATSCOPE_TESTS_DIR) / "data" / "hf")) {
    if (!entry.is_directory()) continue;
    ++models;
    CAPTURE(entry.path().filename().string());
    EngineOptions options = on_device();
    options.model = entry.path();
    const auto device = value_of(Engine::open(options, {}));
    options.device = Device::cpu;
    const auto cpu = value_of(Engine::open(options, {}));
    const std::vector<std::int32_t> tokens = random_tokens(30, 5, cpu->config().vocab);
    for (const std::int64_t chunk : {1, 11}) {
      require_ok(cpu->start({}));
      require_ok(device->start({}));
      const Table<float> truth = prefill_all(*cpu, tokens, chunk);
      const Table<float> found = prefill_all(*device, tokens, chunk);
      for (std::size_t row = 0; row < truth.size(); ++row) CHECK(difference(found[row], truth[row]) < 1e-5);
    }
  }
  CHECK(models >= 5);
}

TEST_CASE("roles set by hand and H2O drop side by side as on the CPU") {
  const TinyModel model;
  const EngineRun cpu(model, {.device = Device::cpu});
  const EngineRun device(model, on_device());
  for (const std::int64_t window : {0, 4}) {
    CAPTURE(window);
    RolePlan plan;
    plan.policy = value_of(parse_policy("h2o:3,2"));
    plan.window = window;
    for (std::int32_t position = 0; position < 60; ++position) {
      if (position % 4 == 3) continue;
      const auto role = static_cast<Role>((position + position / 7) % role_count);
      plan.forced.push_back({LayerId(position % 2), KvHeadId(position / 3 % 2), TokenPos(position), role});
    }
    const std::vector<std::int32_t> tokens = random_tokens(60, 14);
    for (const std::int64_t chunk : {1, 13}) {
      CAPTURE(chunk);
      check_prefill(device, cpu, plan, tokens, chunk, 1e-5);
      check_same_record(*device.engine, *cpu.engine);
    }
  }
}

void check_maps_drawn_anew(const char* policy) {
  CAPTURE(policy);
  const TinyModel model;
  const EngineRun cpu(model, {.device = Device::cpu});
  EngineOptions options = on_device();
  options.trace_store_bytes = 0;
  const EngineRun device(model, options);
  RolePlan plan;
  plan.policy = value_of(parse_policy(policy));
  const std::vector<std::int32_t> tokens = random_tokens(50, 17);
  for (const EngineRun* const run : {&cpu, &device}) {
    require_ok(run->engine->start(plan));
    require_ok(run->engine->prefill(std::span(tokens).first(30), {.chunk = 11}, {}));
    for (const std::int32_t token : std::span(tokens).subspan(30)) require_ok(run->engine->step(token, false, 0, {}));
  }
  for (std::int32_t head = 0; head < cpu.engine->config().heads; ++head) {
    const TileKey key{.layer = LayerId(1), .head = HeadId(head)};
    const AttentionTile found = value_of(device.engine->tile(key, {}));
    const AttentionTile truth = value_of(cpu.engine->tile(key, {}));
    CHECK(difference(found.maximum, truth.maximum) < 1e-5);
    CHECK(difference(found.visible_share, truth.visible_share) < 1e-5);
  }
}

TEST_CASE("maps that nobody kept are drawn anew with what policies without roles dropped on the device") {
  for (const char* policy : {"h2o:5,4", "tova:9", "snapkv:9,4", "pyramidkv:9,4", "adakv:14,4"})
    check_maps_drawn_anew(policy);
}

TEST_CASE("H2O is refused where prompts do not attend to the cache") {
  EngineOptions options = on_device();
  options.prompt_attention = PromptAttention::alone;
  const EngineRun run(TinyModel(), options);
  RolePlan plan;
  plan.policy = value_of(parse_policy("h2o:3,2"));
  const auto started = run.engine->start(plan);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::usage);
  require_ok(run.engine->prefill(random_tokens(5, 1), {}, {}));
}

void check_goes_on(const char* policy) {
  CAPTURE(policy);
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(40, 9);
  const EngineRun cpu(model, {.device = Device::cpu});
  const EngineRun device(model, on_device());
  RolePlan plan;
  plan.policy = value_of(parse_policy(policy));
  require_ok(cpu.engine->start(plan));
  require_ok(device.engine->start(plan));
  PrefillOptions options;
  options.chunk = 8;
  options.on_logits = [](TokenPos first, std::int64_t, std::span<const float>) -> Expected<void> {
    if (first.value >= 16) return fail(ErrorCode::disk_full, "no space");
    return {};
  };
  const auto failed = device.engine->prefill(tokens, options, {});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::disk_full);
  CHECK(device.engine->record().size() == 16);
  require_ok(device.engine->step(tokens[16], false, 0, {}));

  std::stop_source stopped;
  stopped.request_stop();
  const auto step = device.engine->step(tokens[17], false, 0, stopped.get_token());
  REQUIRE_FALSE(step);
  CHECK(step.error().code == ErrorCode::interrupted);
  const auto chunk = device.engine->prefill(std::span(tokens).subspan(17), {}, stopped.get_token());
  REQUIRE_FALSE(chunk);
  CHECK(chunk.error().code == ErrorCode::interrupted);
  CHECK(device.engine->record().size() == 17);

  require_ok(device.engine->prefill(std::span(tokens).subspan(17), {.chunk = 5}, {}));
  require_ok(cpu.engine->prefill(tokens, {}, {}));
  CHECK(difference(device.engine->logits(), cpu.engine->logits()) < 1e-5);
  CHECK(device.engine->counts().entries == cpu.engine->counts().entries);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    CHECK(device.engine->record().frames()[i].entries == cpu.engine->record().frames()[i].entries);
}

TEST_CASE("a pass that failed or was stopped is forgotten, and the sequence goes on as if it had not been") {
  for (const char* policy : {"model", "h2o:4,4", "tova:9", "snapkv:9,4", "adakv:14,4"}) check_goes_on(policy);
}

}  // namespace
}  // namespace natscope
