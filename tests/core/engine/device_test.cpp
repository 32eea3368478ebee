// SPDX-License-Identifier: GPL-3.0-or-later
// The engine on a device: a module that is not one is refused, and on a device made of ordinary memory
// (modules/host_device.cpp) everything comes out as on the CPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/base/shared_library.h"
#include "tests/core/engine/engine_run.h"
#include "tests/core/engine/modules/host_device.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::EngineRun;
using test::prefill_all;
using test::random_tokens;
using test::require_ok;
using test::Table;
using test::TinyModel;
using test::value_of;

const std::filesystem::path modules = NATSCOPE_TEST_MODULES_DIR;
const std::filesystem::path& host_device = test::host_device_module;

class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

/// Warnings as long as this lives.
class Warnings {
 public:
  Warnings() {
    set_log_sink([this](LogLevel level, std::string_view line) {
      if (level >= LogLevel::warning) text += line;
    });
  }
  ~Warnings() { set_log_sink({}); }
  std::string text;
};

EngineOptions on_device(kernels::ElementType dtype = kernels::ElementType::f32) {
  return {.device = Device::cuda, .dtype = dtype, .trace_store_bytes = 1 << 20, .device_module = host_device};
}

double difference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  double scale = 1e-30;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(apart <= largest)) largest = apart;  // NaN counts
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return largest / scale;
}

void check_same_record(const Engine& found, const Engine& truth) {
  REQUIRE(found.record().size() == truth.record().size());
  for (std::size_t i = 0; i < truth.record().frames().size(); ++i) {
    const TokenFrame& a = found.record().frames()[i];
    const TokenFrame& b = truth.record().frames()[i];
    CHECK(a.token == b.token);
    CHECK(a.generated == b.generated);
    CHECK(a.probability == doctest::Approx(b.probability).epsilon(1e-3));
    CHECK(a.entries == b.entries);
    CHECK(a.evicted == b.evicted);
  }
  for (std::int32_t layer = 0; layer < truth.geometry().layers; ++layer) {
    for (std::int32_t head = 0; head < truth.geometry().kv_heads; ++head) {
      const auto a = found.record().roles(LayerId(layer), KvHeadId(head));
      const auto b = truth.record().roles(LayerId(layer), KvHeadId(head));
      CHECK(std::vector<Role>(a.begin(), a.end()) == std::vector<Role>(b.begin(), b.end()));
    }
  }
  CHECK(found.counts().entries == truth.counts().entries);
  CHECK(found.counts().allocated_bytes == truth.counts().allocated_bytes);
}

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
      {host_device, "NATSCOPE_TEST_DEVICE_BYTES", "20000", ErrorCode::out_of_memory,
       "take 1 MiB of GPU memory, and 0 MiB of 0 MiB are free", true},
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
  if (std::filesystem::exists("/dev/nvidia0")) return;  // LibTorch would take the pointers for a GPU's
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
      for (const char* policy : {"model", "full", "window:5", "h2o:6,4", "h2o:0,3", "h2o:5,0", "h2o:900,1"}) {
        CAPTURE(policy);
        // Two ways of rounding may choose otherwise between scores that are nearly equal.
        if (dtype == kernels::ElementType::bf16 && policy[0] == 'h') continue;
        RolePlan plan;
        plan.policy = value_of(parse_policy(policy));
        for (const std::int64_t chunk : {1, 7, 40}) {
          CAPTURE(chunk);
          require_ok(cpu.engine->start(plan));
          require_ok(device.engine->start(plan));
          const Table<float> truth = prefill_all(*cpu.engine, tokens, chunk);
          const Table<float> found = prefill_all(*device.engine, tokens, chunk);
          for (std::size_t row = 0; row < truth.size(); ++row) CHECK(difference(found[row], truth[row]) < bound);
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

/// A counter of the host device's module: the one that the engine opens, since the system's loader knows it by its
/// file.
class Counter {
 public:
  explicit Counter(const char* name)
      : read_(value_of(value_of(SharedLibrary::open(host_device)).function<std::int64_t()>(name))) {}
  [[nodiscard]] std::int64_t operator()() const { return read_(); }

 private:
  std::int64_t (*read_)();
};

TEST_CASE("a step waits for the device once, however many layers there are, and roles set by hand hold") {
  const Counter waits("natscope_test_device_waits");
  for (const auto& [layers, policy] : {std::pair{1, "model"}, {2, "model"}, {5, "model"}, {2, "h2o:5,3"}}) {
    CAPTURE(layers);
    CAPTURE(policy);
    const TinyModel model(json::object({{"num_hidden_layers", layers}}));
    const EngineRun cpu(model, {.device = Device::cpu});
    const EngineRun device(model, on_device());
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    for (const std::int32_t position : {0, 3, 8, 20}) {
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
  for (const char* policy : {"model", "window:3", "h2o:3,4", "full", "h2o:5,1", "window:7"}) {
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
      require_ok(cpu.engine->start(plan));
      require_ok(device.engine->start(plan));
      const Table<float> truth = prefill_all(*cpu.engine, tokens, chunk);
      const Table<float> found = prefill_all(*device.engine, tokens, chunk);
      for (std::size_t row = 0; row < truth.size(); ++row) CHECK(difference(found[row], truth[row]) < 1e-5);
      check_same_record(*device.engine, *cpu.engine);
    }
  }
}

TEST_CASE("maps that nobody kept are drawn anew with what H2O dropped on the device") {
  const TinyModel model;
  const EngineRun cpu(model, {.device = Device::cpu});
  EngineOptions options = on_device();
  options.trace_store_bytes = 0;
  const EngineRun device(model, options);
  RolePlan plan;
  plan.policy = value_of(parse_policy("h2o:5,4"));
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
  for (const char* policy : {"model", "h2o:4,4"}) check_goes_on(policy);
}

}  // namespace
}  // namespace natscope
