// SPDX-License-Identifier: GPL-3.0-or-later
// SnapKV, PyramidKV, Ada-KV: what stays of a prompt, from the maps of full attention by the rules' sentences (section 11).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>

#include "core/explore/run_figures.h"
#include "kernels/score_rule.h"
#include "tests/core/engine/engine_run.h"

namespace natscope {
namespace {

using nlohmann::json;
using test::dense_forward;
using test::DenseOptions;
using test::DenseResult;
using test::EngineRun;
using test::prefill_all;
using test::random_tokens;
using test::relative_error;
using test::require_ok;
using test::Table;
using test::TinyModel;
using test::value_of;

constexpr double near_tie = 1e-5;  // float sums of a few weights against double ones

RolePlan plan_of(const std::string& name, std::int64_t size, std::int64_t window) {
  RolePlan plan;
  plan.policy = value_of(parse_policy(name + ":" + std::to_string(size) + "," + std::to_string(window)));
  return plan;
}

RolePlan snapkv(std::int64_t size, std::int64_t window) { return plan_of("snapkv", size, window); }

DenseResult dense_full(const TinyModel& model, const std::vector<std::int32_t>& tokens, DenseOptions options = {}) {
  options.role = [](int, int, int) { return 0; };
  return dense_forward(model, tokens, options);
}

/// What is held of the first `prompt` tokens after the last of them, as the record says it.
std::set<int> kept_of(const Engine& engine, int prompt, int layer, int kv_head) {
  const auto last = engine.record().last_query(LayerId(layer), KvHeadId(kv_head));
  std::set<int> kept;
  for (int n = 0; n < prompt; ++n) {
    const std::int32_t end = last[static_cast<std::size_t>(n)];
    REQUIRE((end == prompt - 1 || end == no_next_global));
    if (end == no_next_global) kept.insert(n);
  }
  return kept;
}

/// The pooled score of position n, of full attention's maps [head][query][key].
double pooled(const Table<std::vector<double>>& maps, int first_head, int group, int prompt, int window, int n) {
  double sum = 0;
  for (int near = std::max(n - 2, 0); near <= n + 2 && near < prompt - window; ++near) {
    for (int head = first_head; head < first_head + group; ++head) {
      for (int query = prompt - window; query < prompt; ++query)
        sum += maps[static_cast<std::size_t>(head)][static_cast<std::size_t>(query)][static_cast<std::size_t>(near)];
    }
  }
  return sum / 5;
}

/// Of the positions before the window in one head: the scores of those that stay, falling, and the highest that went.
struct HeadScores {
  std::vector<double> kept;
  double heaviest_gone = -1;
};

HeadScores scores_of(const Engine& engine, const DenseResult& full, int prompt, int window, int layer, int kv_head) {
  const int group = engine.config().heads / engine.config().kv_heads;
  const std::set<int> kept = kept_of(engine, prompt, layer, kv_head);
  HeadScores scores;
  for (int n = 0; n < prompt; ++n) {
    if (n >= prompt - window) {
      CHECK(kept.contains(n));
      continue;
    }
    const double score =
        pooled(full.attention[static_cast<std::size_t>(layer)], kv_head * group, group, prompt, window, n);
    if (kept.contains(n)) {
      scores.kept.push_back(score);
    } else {
      scores.heaviest_gone = std::max(scores.heaviest_gone, score);
    }
  }
  std::ranges::sort(scores.kept, std::greater<>());
  return scores;
}

void check_kept(const Engine& engine, const DenseResult& full, const std::string& name, int prompt, int size,
                int window) {
  const auto geometry = engine.geometry();
  const int heavy = size - window;
  for (int layer = 0; layer < geometry.layers; ++layer) {
    CAPTURE(layer);
    std::vector<HeadScores> heads;
    std::size_t kept = 0;
    for (int kv_head = 0; kv_head < geometry.kv_heads; ++kv_head) {
      heads.push_back(scores_of(engine, full, prompt, window, layer, kv_head));
      kept += heads.back().kept.size();
    }
    if (prompt <= size) {
      CHECK(kept == static_cast<std::size_t>(geometry.kv_heads * (prompt - std::min(window, prompt))));
      continue;
    }
    const std::int64_t of_layer =
        name == "pyramidkv" ? kernels::heavy_of_layer(heavy, prompt - window, window, LayerId(layer), geometry.layers)
                            : heavy;
    CHECK(kept == static_cast<std::size_t>(geometry.kv_heads * of_layer));
    for (const HeadScores& head : heads) {
      const auto own = static_cast<std::size_t>(name == "adakv" ? heavy / 5 : of_layer);
      CHECK(head.kept.size() >= own);
      if (!head.kept.empty()) CHECK(head.kept.back() >= head.heaviest_gone - near_tie);
      // Beyond its own, a head keeps nothing that weighs less than what another one of the layer lost.
      for (const HeadScores& other : heads) {
        if (head.kept.size() > own) CHECK(head.kept.back() >= other.heaviest_gone - near_tie);
      }
    }
  }
}

TEST_CASE("of a prompt stays what full attention's maps say, in every layer and head") {
  for (const json& config : {json::object(), json::object({{"num_key_value_heads", 1}}),
                             json::object({{"num_key_value_heads", 4}, {"num_hidden_layers", 3}})}) {
    const TinyModel model(config);
    const EngineRun run(model);
    for (const int prompt : {11, 40, 57}) {
      const std::vector<std::int32_t> tokens =
          random_tokens(static_cast<std::size_t>(prompt), static_cast<std::uint64_t>(prompt));
      const DenseResult full = dense_full(model, tokens);
      for (const auto& [size, window] :
           {std::pair{1, 1}, {8, 8}, {10, 1}, {10, 4}, {10, 9}, {33, 7}, {39, 20}, {40, 5}, {200, 32}}) {
        for (const auto& [name, chunk] :
             {std::pair{"snapkv", 1}, {"snapkv", 7}, {"snapkv", 512}, {"pyramidkv", 7}, {"adakv", 7}}) {
          CAPTURE(config.dump());
          CAPTURE(name);
          CAPTURE(prompt);
          CAPTURE(size);
          CAPTURE(window);
          CAPTURE(chunk);
          require_ok(run.engine->start(plan_of(name, size, window)));
          const Table<float> logits = prefill_all(*run.engine, tokens, chunk);
          // The prompt itself was read under full attention, the last token, too.
          CHECK(relative_error(logits, full.logits) < 1e-4);
          check_kept(*run.engine, full, name, prompt, size, window);
          const auto frames = run.engine->record().frames();
          for (int n = 0; n + 1 < prompt; ++n) {
            for (const std::int32_t entries : frames[static_cast<std::size_t>(n)].entries) CHECK(entries == n + 1);
          }
          const auto& heads = frames[static_cast<std::size_t>(prompt - 1)].entries;
          for (std::size_t head = 0; head < heads.size(); ++head) {
            const auto kv_heads = static_cast<std::size_t>(run.engine->geometry().kv_heads);
            CHECK(heads[head] == std::ssize(kept_of(*run.engine, prompt, static_cast<int>(head / kv_heads),
                                                    static_cast<int>(head % kv_heads))));
          }
          // Whoever shares out more or less, all hold as much together.
          CHECK(run.engine->counts().entries == std::ssize(heads) * std::min(prompt, size));
          CHECK(run_outcome(run.engine->record(), prompt).drops_after_reading == (prompt > size));
        }
      }
    }
  }
}

/// Logits of what follows a prompt, and what the maps then show, against a dense computation that hides what went.
TEST_CASE("what was dropped is gone for what is written, and nothing else goes") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(60, 5);
  for (const auto& [name, store_bytes] :
       {std::pair{"snapkv", 1 << 20}, {"snapkv", 0}, {"pyramidkv", 0}, {"adakv", 1 << 20}, {"adakv", 0}}) {
    CAPTURE(name);
    const EngineRun run(model, {.trace_store_bytes = store_bytes});
    require_ok(run.engine->start(plan_of(name, 12, 5)));
    require_ok(run.engine->prefill(std::span(tokens).first(36), {.chunk = 10}, {}));
    Table<float> found;
    for (std::size_t n = 36; n < 44; ++n) {
      require_ok(run.engine->step(tokens[n], true, 0, {}));
      found.emplace_back(run.engine->logits().begin(), run.engine->logits().end());
    }
    // What is given to it later is no prompt of this kind any more.
    const auto all = std::span(tokens).subspan(44);
    PrefillOptions options{.chunk = 6};
    options.on_logits = [&](TokenPos, std::int64_t n, std::span<const float> rows) -> Expected<void> {
      const std::size_t vocab = rows.size() / static_cast<std::size_t>(n);
      for (std::size_t row = 0; row < static_cast<std::size_t>(n); ++row)
        found.emplace_back(rows.begin() + static_cast<std::ptrdiff_t>(row * vocab),
                           rows.begin() + static_cast<std::ptrdiff_t>((row + 1) * vocab));
      return {};
    };
    require_ok(run.engine->prefill(all, options, {}));

    DenseOptions hiding;
    hiding.hidden = [&](int layer, int kv_head, int query, int key) {
      return query >= 36 && key < 36 && !kept_of(*run.engine, 36, layer, kv_head).contains(key);
    };
    const DenseResult truth = dense_full(model, tokens, hiding);
    Table<double> behind(truth.logits.begin() + 36, truth.logits.end());
    CHECK(relative_error(found, behind) < 1e-4);
    std::vector<std::int32_t> held = run.engine->record().frames()[35].entries;
    for (std::size_t n = 36; n < 60; ++n) {
      for (std::int32_t& entries : held) ++entries;
      CHECK(run.engine->record().frames()[n].entries == held);
      CHECK(run.engine->record().frames()[n].evicted.empty());
    }
    CHECK(run.engine->counts().entries == (12 + 24) * 2 * 2);
    std::vector<float> weights(60 * 60);
    std::vector<std::uint8_t> visible(60 * 60);
    for (int layer = 0; layer < 2; ++layer) {
      for (int head = 0; head < 4; ++head) {
        require_ok(run.engine->weights(LayerId(layer), HeadId(head), TokenPos(0), TokenPos(0),
                                       kernels::View<float, 2>::packed(weights.data(), {60, 60}),
                                       kernels::View<std::uint8_t, 2>::packed(visible.data(), {60, 60}), {}));
        const auto& map = truth.attention[static_cast<std::size_t>(layer)][static_cast<std::size_t>(head)];
        int wrong = 0;
        for (std::size_t m = 0; m < 60; ++m) {
          for (std::size_t n = 0; n <= m; ++n) wrong += std::abs(weights[m * 60 + n] - map[m][n]) > 1e-4 ? 1 : 0;
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("what keeps all of a prompt is full attention, bit for bit") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(40, 3);
  const EngineRun run(model);
  GenerateOptions options;
  options.max_new_tokens = 12;
  options.sampling.greedy = true;
  for (const std::int64_t chunk : {1, 7, 40}) {
    RolePlan full;
    full.policy.kind = Policy::Kind::full;
    require_ok(run.engine->start(full));
    const Table<float> truth = prefill_all(*run.engine, tokens, chunk);
    const auto written = value_of(run.engine->generate(options, {})).tokens;
    const std::vector<float> last(run.engine->logits().begin(), run.engine->logits().end());
    for (const auto& [name, size] : {std::pair{"snapkv", 40}, {"snapkv", 900}, {"pyramidkv", 40}, {"adakv", 40}}) {
      require_ok(run.engine->start(plan_of(name, size, 8)));
      CHECK(prefill_all(*run.engine, tokens, chunk) == truth);
      CHECK(value_of(run.engine->generate(options, {})).tokens == written);
      CHECK(std::ranges::equal(run.engine->logits(), last));
    }
  }
}

TEST_CASE("a prompt whose reading was stopped and went on drops what it would have dropped") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(50, 8);
  for (const auto& [name, stop_at] :
       {std::pair{"snapkv", 10}, {"snapkv", 38}, {"snapkv", 43}, {"snapkv", 48}, {"adakv", 43}, {"pyramidkv", 43}}) {
    CAPTURE(name);
    CAPTURE(stop_at);
    const EngineRun whole(model);
    require_ok(whole.engine->start(plan_of(name, 16, 12)));
    require_ok(whole.engine->prefill(tokens, {.chunk = 5}, {}));
    const EngineRun run(model);
    require_ok(run.engine->start(plan_of(name, 16, 12)));
    std::stop_source stop;
    PrefillOptions options{.chunk = 5};
    options.on_progress = [&](std::int64_t done, std::int64_t) {
      if (done >= stop_at) stop.request_stop();
    };
    REQUIRE_FALSE(run.engine->prefill(tokens, options, stop.get_token()));
    auto read = static_cast<std::size_t>(run.engine->record().size());
    REQUIRE(read < tokens.size());
    if (stop_at % 2 == 0) {  // a token by hand, whose step knows of no prompt: what it is follows
      require_ok(run.engine->step(tokens[read], false, 0, {}));
      ++read;
    }
    require_ok(run.engine->prefill(std::span(tokens).subspan(read), {.chunk = 5}, {}));
    CHECK(run.engine->record().frames().back().evicted == whole.engine->record().frames().back().evicted);
    CHECK(run.engine->counts().entries == whole.engine->counts().entries);
    require_ok(run.engine->step(7, true, 0, {}));

    // A stop behind the prompt leaves what stood, and the cache is made anew with what had gone.
    std::stop_source at_once;
    at_once.request_stop();
    REQUIRE_FALSE(run.engine->prefill(std::span(tokens).first(3), {}, at_once.get_token()));
    require_ok(run.engine->step(9, true, 0, {}));
    CHECK(run.engine->counts().entries == (16 + 2) * 2 * 2);
  }
}

TEST_CASE("what is read behind what was written is no prompt, and nothing of it goes") {
  const TinyModel model;
  const std::vector<std::int32_t> tokens = random_tokens(50, 8);
  const EngineRun run(model);
  require_ok(run.engine->start(snapkv(16, 12)));
  std::stop_source stop;
  PrefillOptions options{.chunk = 5};
  options.on_progress = [&](std::int64_t done, std::int64_t) {
    if (done >= 20) stop.request_stop();
  };
  REQUIRE_FALSE(run.engine->prefill(tokens, options, stop.get_token()));
  REQUIRE(run.engine->record().size() == 20);
  GenerateOptions writing;
  writing.max_new_tokens = 5;
  writing.sampling.greedy = true;
  REQUIRE(value_of(run.engine->generate(writing, {})).tokens.size() == 5);
  require_ok(run.engine->prefill(std::span(tokens).first(10), {.chunk = 5}, {}));
  const std::int64_t all = run.engine->record().size();
  CHECK(run.engine->counts().entries == all * 2 * 2);
  CHECK(run.engine->record().frames().back().evicted.empty());
}

TEST_CASE("roles set by hand have no meaning under it") {
  const EngineRun run((TinyModel()));
  RolePlan plan = snapkv(8, 2);
  plan.forced = {{LayerId(0), KvHeadId(1), TokenPos(2), Role::local}};
  const auto started = run.engine->start(plan);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::usage);
}

}  // namespace
}  // namespace natscope
