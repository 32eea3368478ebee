// SPDX-License-Identifier: GPL-3.0-or-later
// What ends a generation, what a stop leaves behind, and what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "core/io/model_folder.h"
#include "tests/core/engine/engine_run.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::dense_forward;
using test::EngineRun;
using test::random_tokens;
using test::relative_error;
using test::require_ok;
using test::Table;
using test::TinyModel;
using test::value_of;

GenerateOptions greedy(std::int64_t tokens) {
  GenerateOptions options;
  options.max_new_tokens = tokens;
  options.sampling.greedy = true;
  return options;
}

/// What greedy generation gives after a fixed prompt.
GenerateResult generated(const EngineRun& run, const GenerateOptions& options, std::stop_token stop = {}) {
  require_ok(run.engine->start({}));
  require_ok(run.engine->prefill(random_tokens(10, 4), {}, {}));
  return value_of(run.engine->generate(options, stop));
}

TEST_CASE("length, context and end tokens end a text") {
  const EngineRun run(TinyModel(json::object({{"eos_token_id", 2}})));
  CHECK(generated(run, greedy(0)).reason == StopReason::max_new_tokens);
  CHECK(generated(run, greedy(0)).tokens.empty());
  const GenerateResult ten = generated(run, greedy(10));
  CHECK(ten.reason == StopReason::max_new_tokens);
  CHECK(ten.tokens.size() == 10);
  const GenerateResult all = generated(run, greedy(1000));
  CHECK(all.reason == StopReason::context_full);
  CHECK(all.tokens.size() == 54);
  CHECK(run.engine->record().size() == 64);
  CHECK(value_of(run.engine->generate(greedy(5), {})).reason == StopReason::context_full);

  // Any of several end tokens; it is processed and counted, and its text is not shown.
  const EngineRun ending(TinyModel(json::object({{"eos_token_id", {299, all.tokens[6]}}})));
  const GenerateResult ended = generated(ending, greedy(1000));
  CHECK(ended.reason == StopReason::end_of_text);
  CHECK(ended.tokens.back() == all.tokens[6]);
  CHECK(ending.engine->record().size() == 10 + static_cast<std::int64_t>(ended.tokens.size()));
}

TEST_CASE("a stop string is found across tokens, and text is cut before it") {
  const EngineRun run(TinyModel(json::object({{"eos_token_id", 2}})));
  const GenerateResult free = generated(run, greedy(40));
  REQUIRE(free.text.size() > 8);
  const std::string stop = free.text.substr(3, 5);
  GenerateOptions options = greedy(40);
  options.stop_strings = {"never there", stop};
  std::string shown;
  options.on_token = [&](const TokenFrame&, std::string_view text) { shown += text; };
  const GenerateResult cut = generated(run, options);
  CHECK(cut.reason == StopReason::stop_string);
  CHECK(cut.text == free.text.substr(0, free.text.find(stop)));
  CHECK(shown == cut.text);
}

TEST_CASE("an interrupted generation goes on where it stopped") {
  for (const char* policy : {"model", "h2o:4,4", "tova:8"}) {
    const TinyModel model(json::object({{"eos_token_id", 2}}));
    const EngineRun run(model);
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    const auto fresh = [&] {
      require_ok(run.engine->start(plan));
      require_ok(run.engine->prefill(random_tokens(10, 4), {}, {}));
    };
    fresh();
    const GenerateResult whole = value_of(run.engine->generate(greedy(30), {}));
    fresh();
    std::stop_source source;
    GenerateOptions options = greedy(30);
    options.on_token = [&](const TokenFrame& frame, std::string_view) {
      if (frame.position.value == 20) source.request_stop();
    };
    GenerateResult first = value_of(run.engine->generate(options, source.get_token()));
    CHECK(first.reason == StopReason::interrupted);
    CHECK(first.tokens.size() == 11);
    const GenerateResult second = value_of(run.engine->generate(greedy(19), {}));
    first.tokens.insert(first.tokens.end(), second.tokens.begin(), second.tokens.end());
    CHECK(first.tokens == whole.tokens);
  }
}

TEST_CASE("a prefill says how far it is in every layer, and never goes back") {
  const EngineRun run(TinyModel{});
  require_ok(run.engine->start({}));
  std::vector<std::int64_t> told;
  PrefillOptions options;
  options.chunk = 16;
  options.on_progress = [&](std::int64_t done, std::int64_t total) {
    CHECK(total == 40);
    told.push_back(done);
  };
  require_ok(run.engine->prefill(random_tokens(40, 4), options, {}));
  const auto layers = run.engine->config().layers;
  REQUIRE(layers >= 2);
  CHECK(told.size() == static_cast<std::size_t>(1 + 3 * (layers + 1)));  // the beginning; 3 chunks, layers and ends
  CHECK(std::is_sorted(told.begin(), told.end()));
  CHECK(told.front() == 0);
  CHECK(told[2] == 16 / layers);  // in the first chunk's second layer
  CHECK(told.back() == 40);
  // A step afterwards tells nobody: what was told belongs to the prefill.
  require_ok(run.engine->step(5, false, 0, {}));
  CHECK(told.back() == 40);
}

TEST_CASE("a prefill that fails stands after its last whole chunk, and goes on from there") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(40, 9);
  for (const char* policy : {"model", "h2o:4,4", "tova:8"}) {
    CAPTURE(policy);
    test::DenseOptions dense;
    if (policy[0] == 'h') dense.heavy = dense.recent = 4;
    if (policy[0] == 't') dense.heavy = 8, dense.of_last_query = true;
    const EngineRun run(model);
    RolePlan plan;
    plan.policy = value_of(parse_policy(policy));
    require_ok(run.engine->start(plan));
    PrefillOptions options;
    options.chunk = 8;
    options.on_logits = [](TokenPos first, std::int64_t, std::span<const float>) -> Expected<void> {
      if (first.value >= 16) return fail(ErrorCode::disk_full, "no space");
      return {};
    };
    const auto failed = run.engine->prefill(tokens, options, {});
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == ErrorCode::disk_full);
    CHECK(run.engine->record().size() == 16);

    require_ok(run.engine->step(tokens[16], false, 0, {}));
    Table<float> logits;
    logits.emplace_back(run.engine->logits().begin(), run.engine->logits().end());
    require_ok(run.engine->prefill(std::span(tokens).subspan(17), {.chunk = 5}, {}));
    CHECK(relative_error(logits, dense_forward(model, tokens, dense).logits, 16) < 1e-4);
    logits.assign(1, {run.engine->logits().begin(), run.engine->logits().end()});
    const test::DenseResult truth = dense_forward(model, tokens, dense);
    CHECK(relative_error(logits, truth.logits, 39) < 1e-4);
    test::check_record(*run.engine, truth);
  }
}

TEST_CASE("a stop in the middle of a pass leaves the sequence before it") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(20, 2);
  const EngineRun run(model);
  std::stop_source stopped;
  stopped.request_stop();
  require_ok(run.engine->prefill(std::span(tokens).first(10), {}, {}));
  const auto step = run.engine->step(tokens[10], false, 0, stopped.get_token());
  REQUIRE_FALSE(step);
  CHECK(step.error().code == ErrorCode::interrupted);
  const auto prefill = run.engine->prefill(std::span(tokens).subspan(10), {}, stopped.get_token());
  REQUIRE_FALSE(prefill);
  CHECK(prefill.error().code == ErrorCode::interrupted);
  CHECK(run.engine->record().size() == 10);
  require_ok(run.engine->prefill(std::span(tokens).subspan(10), {}, {}));
  Table<float> logits(1, {run.engine->logits().begin(), run.engine->logits().end()});
  CHECK(relative_error(logits, dense_forward(model, tokens).logits, 19) < 1e-4);
}

TEST_CASE("a stop is answered within 100 ms") {
  // Large enough that a prefill takes seconds.
  const EngineRun run(TinyModel(json::object({{"hidden_size", 256},
                                              {"intermediate_size", 2048},
                                              {"num_hidden_layers", 4},
                                              {"max_position_embeddings", 32768}})));
  std::stop_source source;
  std::chrono::steady_clock::time_point asked;
  std::jthread asker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    asked = std::chrono::steady_clock::now();
    source.request_stop();
  });
  const auto result = run.engine->prefill(random_tokens(32768, 1), {}, source.get_token());
  const double waited_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - asked).count();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::interrupted);
  MESSAGE("stopped after ms: " << waited_ms);
  CHECK(waited_ms < 1000);  // the machine may be busy; on a quiet one it is well below 100
}

TEST_CASE("what cannot be done is refused by name, and nothing changes") {
  const EngineRun run{TinyModel()};
  const auto code = [](const auto& result) { return result ? ErrorCode::internal : result.error().code; };
  Engine& engine = *run.engine;
  CHECK(code(engine.generate(greedy(5), {})) == ErrorCode::bad_position);
  CHECK(code(engine.prefill(std::vector<std::int32_t>{3, 300}, {}, {})) == ErrorCode::bad_token_id);
  CHECK(code(engine.prefill(std::vector<std::int32_t>{-1}, {}, {})) == ErrorCode::bad_token_id);
  CHECK(code(engine.prefill(random_tokens(65, 1), {}, {})) == ErrorCode::prompt_too_long);
  CHECK(code(engine.prefill(random_tokens(5, 1), {.chunk = 0}, {})) == ErrorCode::usage);
  CHECK(code(engine.step(300, false, 0, {})) == ErrorCode::bad_token_id);
  CHECK(engine.record().size() == 0);
  CHECK(engine.logits().empty());
  require_ok(engine.prefill({}, {}, {}));
  CHECK(code(engine.tokenize("")) == ErrorCode::bad_text);
  CHECK(code(engine.tokenize("\xff")) == ErrorCode::bad_text);
  CHECK(code(engine.tokenize(std::string(1000, '!'))) == ErrorCode::prompt_too_long);
  CHECK(value_of(engine.tokenize("a")).front() == 1);

  RolePlan plan;
  plan.forced = {{LayerId(2), KvHeadId(0), TokenPos(0), Role::local}};
  CHECK(code(engine.start(plan)) == ErrorCode::bad_layer);
  plan.forced = {{LayerId(0), KvHeadId(2), TokenPos(0), Role::local}};
  CHECK(code(engine.start(plan)) == ErrorCode::bad_head);
  plan.forced.clear();
  plan.roles = RoleArray{1, 2, 3, std::vector<Role>(6)};
  CHECK(code(engine.start(plan)) == ErrorCode::bad_roles);
  CHECK(code(Engine::open({.model = run.folder.path(), .device = Device::cuda}, {})) == ErrorCode::device_unavailable);
  CHECK(code(Engine::open({.model = run.folder.path(), .threads = -1}, {})) == ErrorCode::usage);
  CHECK(code(Engine::open({.model = run.folder / "nowhere"}, {})) == ErrorCode::file_not_found);
}

TEST_CASE("prompt tokens know how likely they were, and what else might have come") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(12, 6);
  const EngineRun run(model);
  require_ok(run.engine->prefill(tokens, {.chunk = 5, .candidates = 4}, {}));
  const Table<double> truth = dense_forward(model, tokens).logits;
  for (std::size_t t = 1; t < tokens.size(); ++t) {
    double sum = 0;
    for (const double logit : truth[t - 1]) sum += std::exp(logit);
    const TokenFrame& frame = run.engine->record().frame(TokenPos(static_cast<std::int32_t>(t)));
    CHECK(frame.probability ==
          doctest::Approx(std::exp(truth[t - 1][static_cast<std::size_t>(tokens[t])]) / sum).epsilon(1e-3));
    CHECK(frame.candidates.size() == 4);
    CHECK_FALSE(frame.generated);
  }
  CHECK(run.engine->record().frame(TokenPos(0)).probability == 0);
  // The same without what else might have come.
  const EngineRun alone(model);
  require_ok(alone.engine->prefill(tokens, {.chunk = 5, .probabilities = true}, {}));
  for (std::int32_t t = 0; t < 12; ++t) {
    const TokenFrame& frame = alone.engine->record().frame(TokenPos(t));
    CHECK(frame.probability == run.engine->record().frame(TokenPos(t)).probability);
    CHECK(frame.candidates.empty());
  }
}

}  // namespace
}  // namespace natscope
