// SPDX-License-Identifier: GPL-3.0-or-later
// Tiles and rectangles of the attention map against the dense weights: from the trace store, and replayed without it.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "tests/core/engine/engine_run.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::dense_forward;
using test::DenseOptions;
using test::DenseResult;
using test::EngineRun;
using test::random_tokens;
using test::require_ok;
using test::TinyModel;
using test::value_of;

void check_weights(const Engine& engine, const DenseResult& truth, std::int32_t layer, std::int32_t head) {
  const std::int64_t length = engine.record().size();
  std::vector<float> weights(static_cast<std::size_t>(length * length), NAN);
  std::vector<std::uint8_t> visible(weights.size(), 7);
  require_ok(engine.weights(LayerId(layer), HeadId(head), TokenPos(0), TokenPos(0),
                            kernels::View<float, 2>::packed(weights.data(), {length, length}),
                            kernels::View<std::uint8_t, 2>::packed(visible.data(), {length, length}), {}));
  double error = 0;
  int wrong = 0;
  for (std::size_t cell = 0; cell < weights.size(); ++cell) {
    const std::size_t m = cell / static_cast<std::size_t>(length), n = cell % static_cast<std::size_t>(length);
    const bool seen = truth.visible[static_cast<std::size_t>(layer)][static_cast<std::size_t>(head)][m][n] != 0;
    const double difference =
        std::abs(static_cast<double>(weights[cell]) -
                 truth.attention[static_cast<std::size_t>(layer)][static_cast<std::size_t>(head)][m][n]);
    error = std::isnan(difference) ? INFINITY : std::max(error, difference);
    wrong += visible[cell] != (seen ? 1 : 0) || (!seen && weights[cell] != 0);
  }
  CHECK(wrong == 0);
  CHECK(error < 1e-4);
}

TEST_CASE("the first layers alone give the same maps, and nothing that needs the others") {
  const TinyModel model(json::object({{"num_hidden_layers", 3}}));
  const std::vector<std::int32_t> tokens = random_tokens(40, 5);
  const DenseResult truth = dense_forward(model, tokens, {});
  const EngineRun run(model, {.layers = 2});
  REQUIRE(run.engine->geometry().layers == 2);
  require_ok(run.engine->prefill(tokens, {.chunk = 16}, {}));
  check_weights(*run.engine, truth, 0, 1);
  check_weights(*run.engine, truth, 1, 3);
  // The record knows nothing of the others.
  CHECK(run.engine->tile({LayerId(2), HeadId(0), 0, 0, 0}, {}).error().code == ErrorCode::bad_layer);
  CHECK(run.engine->logits().empty());
  CHECK(run.engine->generate({}, {}).error().code == ErrorCode::bad_position);
  CHECK(run.engine->step(5, true, 0, {}).error().code == ErrorCode::usage);
  CHECK(run.engine->record().size() == 40);
  CHECK(EngineRun(model, {.layers = 9}).engine->geometry().layers == 3);
}

TEST_CASE("maps equal the dense weights, whatever the store has room for") {
  const TinyModel model(json::object({{"num_hidden_layers", 3}}));
  const std::vector<std::int32_t> tokens = random_tokens(50, 3);
  for (const char* policy : {"model", "streaming:2,6", "h2o:5,5", "tova:10"}) {
    DenseOptions options;
    if (policy[0] == 's') options = {6, [](int, int, int n) { return n < 2 ? 0 : 2; }};
    if (policy[0] == 'h') options.heavy = options.recent = 5;
    if (policy[0] == 't') options.heavy = 10, options.of_last_query = true;
    const DenseResult truth = dense_forward(model, tokens, options);
    // A token takes 4 · (6 · 8) + 4 · 4 bytes a layer: room for everything, for the first layer or so, for nothing.
    for (const std::int64_t budget : {std::int64_t{1} << 20, std::int64_t{20000}, std::int64_t{0}}) {
      CAPTURE(policy);
      CAPTURE(budget);
      const EngineRun run(model, {.trace_store_bytes = budget});
      RolePlan plan;
      plan.policy = value_of(parse_policy(policy));
      require_ok(run.engine->start(plan));
      require_ok(run.engine->prefill(std::span(tokens).first(30), {.chunk = 7}, {}));
      for (std::size_t t = 30; t < tokens.size(); ++t) require_ok(run.engine->step(tokens[t], true, 0, {}));
      for (std::int32_t layer = 0; layer < 3; ++layer) {
        for (std::int32_t head = 0; head < 4; ++head) check_weights(*run.engine, truth, layer, head);
      }
    }
  }
}

TEST_CASE("a layer that was given up is read once for all its heads, and its progress is told") {
  const TinyModel model(json::object({{"num_hidden_layers", 3}}));
  const EngineRun run(model, {.trace_store_bytes = 0});
  const std::vector<std::int32_t> tokens = random_tokens(50, 3);
  require_ok(run.engine->prefill(tokens, {}, {}));
  std::vector<std::int64_t> told;
  const ReplayProgress tell = [&](std::int64_t done, std::int64_t total) {
    CHECK(total == 50);
    told.push_back(done);
  };
  for (const std::int32_t head : {0, 3, 1}) value_of(run.engine->tile({LayerId(2), HeadId(head), 0, 0, 0}, {}, tell));
  CHECK(told == std::vector<std::int64_t>{0, 50});
  // Its neighbours came with it; others do not stand in its place.
  value_of(run.engine->tile({LayerId(1), HeadId(0), 0, 0, 0}, {}, tell));
  CHECK(told.size() == 2);
  value_of(run.engine->tile({LayerId(0), HeadId(0), 0, 0, 0}, {}, tell));
  CHECK(told.size() == 4);
  for (const std::int32_t layer : {2, 1, 0}) value_of(run.engine->tile({LayerId(layer), HeadId(2), 0, 0, 0}, {}, tell));
  CHECK(told.size() == 4);

  // With room for that layer alone nothing is read again.
  const EngineRun one(model, {.trace_store_bytes = 1 << 20, .stored_layer = LayerId(2)});
  require_ok(one.engine->prefill(tokens, {}, {}));
  told.clear();
  const AttentionTile kept = value_of(one.engine->tile({LayerId(2), HeadId(1), 0, 0, 0}, {}, tell));
  CHECK(told.empty());
  CHECK(kept.maximum == value_of(run.engine->tile({LayerId(2), HeadId(1), 0, 0, 0}, {})).maximum);
}

TEST_CASE("a coarse tile holds maximum, mean and visible share of the cells below it") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(45, 8);
  const DenseResult truth = dense_forward(model, tokens);
  const EngineRun run(model);
  require_ok(run.engine->prefill(tokens, {}, {}));
  const AttentionTile tile = value_of(run.engine->tile({LayerId(1), HeadId(3), 2, 0, 0}, {}));
  CHECK(tile.rows == 12);
  CHECK(tile.columns == 12);
  CHECK(tile.tokens == 45);
  for (int row = 0; row < 12; ++row) {
    for (int column = 0; column < 12; ++column) {
      double maximum = 0, sum = 0;
      int visible = 0, pairs = 0;
      for (int m = 4 * row; m < std::min(45, 4 * row + 4); ++m) {
        for (int n = 4 * column; n <= std::min(m, 4 * column + 3); ++n) {
          ++pairs;
          if (truth.visible[1][3][static_cast<std::size_t>(m)][static_cast<std::size_t>(n)] == 0) continue;
          ++visible;
          const double weight = truth.attention[1][3][static_cast<std::size_t>(m)][static_cast<std::size_t>(n)];
          maximum = std::max(maximum, weight);
          sum += weight;
        }
      }
      const auto cell = static_cast<std::size_t>(row * 12 + column);
      CHECK(tile.maximum[cell] == doctest::Approx(maximum).epsilon(1e-3));
      CHECK(tile.mean[cell] == doctest::Approx(visible > 0 ? sum / visible : 0).epsilon(1e-3));
      CHECK(tile.visible_share[cell] == doctest::Approx(pairs > 0 ? static_cast<double>(visible) / pairs : 0));
    }
  }
}

TEST_CASE("what is not there is named") {
  const EngineRun run{TinyModel()};
  const auto code = [&](const TileKey& key) {
    const auto tile = run.engine->tile(key, {});
    return tile ? ErrorCode::internal : tile.error().code;
  };
  CHECK(code({LayerId(0), HeadId(0), 0, 0, 0}) == ErrorCode::bad_position);
  require_ok(run.engine->prefill(random_tokens(10, 1), {}, {}));
  CHECK(code({LayerId(2), HeadId(0), 0, 0, 0}) == ErrorCode::bad_layer);
  CHECK(code({LayerId(-1), HeadId(0), 0, 0, 0}) == ErrorCode::bad_layer);
  CHECK(code({LayerId(0), HeadId(4), 0, 0, 0}) == ErrorCode::bad_head);
  CHECK(code({LayerId(0), HeadId(0), 0, 1, 0}) == ErrorCode::bad_position);
  CHECK(code({LayerId(0), HeadId(0), 0, 0, 2147483647}) == ErrorCode::bad_position);
  CHECK(code({LayerId(0), HeadId(0), 99, 0, 0}) == ErrorCode::bad_position);
  CHECK(code({LayerId(0), HeadId(0), -1, 0, 0}) == ErrorCode::bad_position);
}

TEST_CASE("another thread draws maps while tokens come") {
  for (const std::int64_t budget : {std::int64_t{1} << 20, std::int64_t{0}}) {
    const EngineRun run(TinyModel(json::object({{"eos_token_id", 2}})), {.trace_store_bytes = budget});
    require_ok(run.engine->prefill(random_tokens(10, 4), {}, {}));
    std::jthread painter([&](std::stop_token stop) {
      for (int n = 0; !stop.stop_requested(); ++n) {
        const auto tile = run.engine->tile({LayerId(n % 2), HeadId(n % 4), n % 3, 0, 0}, {});
        CHECK(tile);
      }
    });
    GenerateOptions options;
    options.max_new_tokens = 1000;
    options.sampling.greedy = true;
    CHECK(value_of(run.engine->generate(options, {})).reason == StopReason::context_full);
  }
}

TEST_CASE("a map that is drawn while another text begins is of one text, or of none") {
  const TinyModel model;
  const EngineRun run(model, {.trace_store_bytes = 0});
  const std::vector<std::int32_t> tokens = random_tokens(20, 8);
  std::atomic<bool> end{false};
  std::atomic<int> wrong{0};
  std::thread reader([&] {
    while (!end) {
      const auto tile = run.engine->tile({.layer = LayerId(1), .head = HeadId(0)}, {});
      const bool is_well = tile ? tile->tokens == 20
                                : tile.error().code == ErrorCode::interrupted ||
                                      tile.error().code == ErrorCode::bad_position;  // no text yet
      wrong += is_well ? 0 : 1;
    }
  });
  RolePlan full;
  full.policy.kind = Policy::Kind::full;
  for (int n = 0; n < 500; ++n) {
    REQUIRE(run.engine->start(full));
    REQUIRE(run.engine->prefill(tokens, {.chunk = 20}, {}));
  }
  end = true;
  reader.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace natscope
