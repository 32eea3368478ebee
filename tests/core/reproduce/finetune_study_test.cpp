// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/finetune_study.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "core/engine/engine.h"
#include "core/reproduce/finetune_report.h"
#include "core/reproduce/score_model.h"
#include "core/reproduce/study_texts.h"
#include "core/train/trainer.h"
#include "tests/core/reproduce/made_up_text.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::reproduce;
using natscope::test::made_up_text;
using natscope::test::TemporaryFolder;

namespace {

/// A full-attention model of seconds, and the study of it.
FinetuneStudyOptions micro(const TemporaryFolder& folder) {
  test::write_bytes(folder / "train.txt", made_up_text(0, 900));
  test::write_bytes(folder / "test.txt", made_up_text(3000, 300));
  train::TrainOptions base;
  base.data = folder / "train.txt";
  base.job = folder / "base-job";
  base.out = folder / "base";
  base.layers = 2;
  base.hidden = 32;
  base.heads = 2;
  base.kv_heads = 1;
  base.vocab = 340;
  base.context = 320;
  base.batch = 2;
  base.steps = 4;
  base.warmup_steps = 1;
  base.threads = 1;
  base.dtype = kernels::ElementType::f32;
  base.full_attention = true;
  REQUIRE(train::train(base, false, {}, {}));
  FinetuneStudyOptions options;
  options.model = folder / "base";
  options.data = folder / "train.txt";
  options.test = folder / "test.txt";
  options.out = folder / "study";
  options.windows = {4, 16};
  options.lambdas = {1e-6, 1e-2};
  options.steps = 3;
  options.test_tokens = 640;
  options.documents = 2;
  options.threads = 1;
  const auto resolved = resolve(options);
  REQUIRE(resolved);
  return *resolved;
}

}  // namespace

TEST_CASE("a whole study of fine-tuning at a microscopic size, stopped on the way") {
  const TemporaryFolder folder;
  const FinetuneStudyOptions options = micro(folder);
  int turns = 0;
  for (bool stopped = true; stopped; ++turns) {
    REQUIRE(turns < 20);
    StopSource stop;
    StudyListener listener;
    int steps = 0;
    listener.step = [&](const train::StepReport&) {
      if (++steps == 5) stop.request_stop();
    };
    auto study = FinetuneStudy::open(options, stop.get_token());
    REQUIRE_MESSAGE(study, study.error().message);
    const auto done = study->run(listener, stop.get_token());
    stopped = !done;
    if (!done) CHECK_MESSAGE(done.error().code == ErrorCode::interrupted, done.error().message);
  }
  CHECK(turns > 1);
  const auto study = FinetuneStudy::open(options, {});
  REQUIRE(study);
  CHECK(study->left() == 0);
  const auto rows = study->rows();
  REQUIRE(rows);
  // Full attention under 1 + 10 policies, four adapters, two baselines at the cheapest one's budget.
  REQUIRE(rows->size() == 11 + 4 + 2);
  for (const StudyRow& row : *rows) {
    CAPTURE(row.run);
    CHECK(std::isfinite(row.perplexity));
    CHECK(row.kv_fraction > 0);
    CHECK(row.kv_fraction <= 1);
  }
  const StudyRow* best = cheapest_adapter(*rows);
  REQUIRE(best != nullptr);
  CHECK((*rows)[15].policy.starts_with("streaming:"));
  CHECK((*rows)[15].kv_fraction == doctest::Approx(best->kv_fraction).epsilon(0.05));
  CHECK((*rows)[16].policy.starts_with("h2o:"));
  REQUIRE((*rows)[0].passkeys.size() == 5);
  CHECK((*rows)[0].passkeys[0].kv_fraction == 1.0);
  // The baselines' grid is at what the adapter holds of such documents.
  CHECK(*(*rows)[15].passkeys[0].kv_fraction == doctest::Approx(*best->passkeys[0].kv_fraction).epsilon(0.05));
  CHECK((*rows)[11].window == 4);

  const auto json = finetune_results_json(options, *rows);
  CHECK(json["rows"].size() == rows->size());
  CHECK(json["rows"][3]["full_perplexity"] == (*rows)[0].perplexity);
  const std::string csv = passkey_csv(*rows);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 5 * (1 + 4 + 2));
  const GridChart chart = passkey_chart(*rows);
  CHECK(chart.panels.size() == 4);
  for (const GridPanel& panel : chart.panels) CHECK(panel.shares.size() == chart.rows.size() * chart.columns.size());
  CHECK(finetune_chart(*rows).series.size() == 5);
}

TEST_CASE("a plan says what a study would be, and writes nothing") {
  const TemporaryFolder folder;
  FinetuneStudyOptions options = micro(folder);
  const auto before = folder.names();
  const auto plan = FinetunePlan::make(options);
  REQUIRE_MESSAGE(plan, plan.error().message);
  CHECK(folder.names() == before);
  REQUIRE(plan->runs.size() == 1 + 4 + 1);
  CHECK(plan->runs[1].key == "scores-W4-1e-06");
  CHECK(plan->runs[5].after.size() == 5);
  CHECK(plan->options.longest == 320);
  options.key_lengths = {100000};
  CHECK(FinetunePlan::make(options).error().code == ErrorCode::usage);
  // Of another study's folder there is no plan.
  std::filesystem::create_directory(folder / "study");
  test::write_bytes(folder / "study/study.json", "{\"study\":\"another\"}");
  options.key_lengths.clear();
  CHECK(FinetunePlan::make(options).error().code == ErrorCode::usage);
}

TEST_CASE("the distance task is asked for its marks, by distance, and not for pass keys") {
  const TemporaryFolder folder;
  FinetuneStudyOptions options = micro(folder);
  options.task = StudyTask::distance;
  options.windows = {4};
  options.lambdas = {1e-2};
  auto study = FinetuneStudy::open(options, {});
  REQUIRE_MESSAGE(study, study.error().message);
  REQUIRE(study->run({}, {}));
  const auto rows = study->rows();
  REQUIRE(rows);
  REQUIRE(rows->size() == 11 + 1 + 2);
  for (const StudyRow& row : *rows) {
    CAPTURE(row.policy);
    CHECK(row.passkeys.empty());
    CHECK(row.accuracy().has_value());
  }
  // With one adapter more, its run and the baselines at what is the cheapest one's budget now are left.
  options.lambdas.push_back(1e-6);
  auto more = FinetuneStudy::open(options, {});
  REQUIRE(more);
  CHECK(more->left() == 2);
  REQUIRE(more->run({}, {}));
  const auto all_rows = more->rows();
  REQUIRE(all_rows);
  REQUIRE(all_rows->size() == rows->size() + 1);
  CHECK((*all_rows)[13].kv_fraction == doctest::Approx(cheapest_adapter(*all_rows)->kv_fraction).epsilon(0.05));
  CHECK(std::filesystem::exists(options.out / "text"));
  // Baselines at a budget need the row of full attention and an adapter's window; somebody may have edited either.
  const auto measured = [&](const std::string& run) { return options.out / "runs" / run / "rows.json"; };
  for (const auto& entry : std::filesystem::directory_iterator(options.out / "runs")) {
    if (entry.path().filename().string().starts_with("same-budget"))
      std::filesystem::remove(entry.path() / "rows.json");
  }
  const std::string whole = test::read_bytes(measured("full"));
  auto without = nlohmann::json::parse(whole);
  without.erase(0);
  test::write_bytes(measured("full"), without.dump());
  CHECK(more->run({}, {}).error().code == ErrorCode::bad_job);
  test::write_bytes(measured("full"), whole);
  for (const char* const run : {"scores-W4-0.01", "scores-W4-1e-06"}) {
    auto changed = nlohmann::json::parse(test::read_bytes(measured(run)));
    changed[0].erase("window");
    test::write_bytes(measured(run), changed.dump());
  }
  CHECK(more->run({}, {}).error().code == ErrorCode::bad_job);
  CHECK(finetune_table(*rows).find(" back | ") != std::string::npos);
  CHECK(finetune_chart(*rows).y_label == "share of right answers");
}

TEST_CASE("documents with a single pass key go through the depths in turn, at the lengths asked for") {
  const TemporaryFolder folder;
  FinetuneStudyOptions options = micro(folder);
  options.windows = {4};
  options.lambdas = {1e-2};
  options.steps = 1;
  options.passkey = 1;
  options.passkey_keys = 1;
  options.key_lengths = {200, 300};
  options.documents = 10;
  auto study = FinetuneStudy::open(options, {});
  REQUIRE_MESSAGE(study, study.error().message);
  REQUIRE(study->run({}, {}));
  const auto rows = study->rows();
  REQUIRE(rows);
  for (const std::size_t index : {0U, 11U, 12U, 13U}) {
    const auto& cells = (*rows)[index].passkeys;
    REQUIRE(cells.size() == 2 * 5);
    CHECK(cells[0].length == 200);
    CHECK(cells[9].length == 300);
    for (const PasskeyCell& cell : cells) CHECK(cell.answers == 2);
  }
  CHECK(study_json(options)["passkey_keys"] == 1);
  // Another number of keys is another study.
  options.passkey_keys = 2;
  CHECK(FinetuneStudy::open(options, {}).error().code == ErrorCode::usage);
  options.key_lengths = {321};
  CHECK(FinetuneStudy::open(options, {}).error().message.find("--key-lengths: 321") != std::string::npos);
  options.passkey_keys = 21;
  CHECK(resolve(options).error().message.find("--passkey-keys") != std::string::npos);
}

TEST_CASE("what is asked for twice is one run") {
  FinetuneStudyOptions options;
  options.model = options.data = options.test = options.out = "somewhere";
  options.windows = {32, 16, 32};
  options.lambdas = {1e-6, 1e-6};
  options.key_lengths = {512, 256, 512};
  const auto resolved = resolve(options);
  REQUIRE(resolved);
  CHECK(resolved->windows == std::vector<int>{32, 16});
  CHECK(resolved->lambdas == std::vector<double>{1e-6});
  CHECK(resolved->key_lengths == std::vector<std::int64_t>{512, 256});
}

TEST_CASE("a model whose folder says that texts get no beginning token is scored without one") {
  const TemporaryFolder folder;
  FinetuneStudyOptions options = micro(folder);
  test::write_bytes(folder / "base/tokenizer_config.json", R"({"add_bos_token": false})");
  options.windows = {4};
  options.lambdas = {1e-2};
  options.steps = 1;
  auto study = FinetuneStudy::open(options, {});
  REQUIRE_MESSAGE(study, study.error().message);
  REQUIRE(study->run({}, {}));
  const auto rows = study->rows();
  REQUIRE(rows);

  EngineOptions opened;
  opened.model = options.model;
  opened.device = Device::cpu;
  opened.dtype = kernels::ElementType::f32;
  opened.threads = 1;
  const auto engine = Engine::open(opened, {});
  REQUIRE(engine);
  const TextChoice choice{options.task, options.data, options.test, options.out, options.test_tokens, 320};
  const auto tokenizer = Tokenizer::load(options.model / "tokenizer.model");
  REQUIRE(tokenizer);
  REQUIRE(tokenizer->bos_id());
  const auto segments = scored_segments(choice, *tokenizer, {}, {});
  REQUIRE(segments);
  CHECK(segments->front().tokens.front() != *tokenizer->bos_id());
  Policy full;
  full.kind = Policy::Kind::full;
  const auto expected = score_model(**engine, *segments, full, {});
  REQUIRE(expected);
  CHECK(rows->front().perplexity == doctest::Approx(expected->perplexity).epsilon(1e-9));
}

TEST_CASE("a model with score layers is no base for the study") {
  const TemporaryFolder folder;
  FinetuneStudyOptions options = micro(folder);
  train::TrainOptions learned;
  learned.data = options.data;
  learned.job = learned.out = folder / "learned";
  learned.layers = 1;
  learned.hidden = 32;
  learned.heads = 2;
  learned.kv_heads = 1;
  learned.vocab = 340;
  learned.context = 64;
  learned.steps = 1;
  learned.threads = 1;
  REQUIRE(train::train(learned, false, {}, {}));
  options.model = folder / "learned";
  const auto study = FinetuneStudy::open(options, {});
  REQUIRE_FALSE(study);
  CHECK(study.error().code == ErrorCode::unsupported_model);
  CHECK_FALSE(std::filesystem::exists(options.out));
}

TEST_CASE("the grid shows whole keys where full attention finds any, and what caches hold of those documents") {
  const auto row = [](std::string policy, std::int64_t right, double fraction) {
    StudyRow made;
    made.run = made.policy = std::move(policy);
    made.perplexity = 10;
    made.kv_fraction = 0.5;
    for (const std::int64_t length : {256, 512}) {
      PasskeyCell cell;
      cell.length = length;
      cell.until = 1;
      cell.answers = 4;
      cell.right = right;
      cell.tokens = 24;
      cell.tokens_right = 12;
      cell.kv_fraction = fraction * 256 / static_cast<double>(length);
      made.passkeys.push_back(cell);
    }
    return made;
  };
  const GridChart found = passkey_chart({row("full", 3, 1), row("h2o:64,64", 1, 0.5)});
  CHECK(found.title == "Pass keys found, % of 4 in a cell");
  REQUIRE(found.panels.size() == 2);
  CHECK(found.panels[0].shares[0] == 0.75);
  CHECK(found.panels[1].shares[1] == 0.25);
  CHECK(found.panels[1].name == "H2O");
  CHECK(found.panels[1].note == "KV 50.0 – 25.0 %");
  const GridChart lost = passkey_chart({row("full", 0, 1)});
  CHECK(lost.title == "Pass keys: share of the answers' tokens foreseen, %");
  CHECK(lost.panels[0].shares[0] == 0.5);
  CHECK(passkey_csv({row("full", 3, 1)}).find(",4,3,24,12,0.0,0.5\n") != std::string::npos);
}

TEST_CASE("the cheapest adapter keeps perplexity where one does; else the closest one counts") {
  const auto row = [](std::string run, std::string policy, std::optional<std::int64_t> window, double perplexity,
                      double fraction) {
    StudyRow made;
    made.run = std::move(run);
    made.policy = std::move(policy);
    made.window = window;
    made.perplexity = perplexity;
    made.kv_fraction = fraction;
    return made;
  };
  std::vector<StudyRow> rows{row("full", "full", {}, 100, 1), row("full", "h2o:1,1", {}, 90, 0.1)};
  CHECK(cheapest_adapter(rows) == nullptr);
  rows.push_back(row("a", "model", 16, 110, 0.1));
  rows.push_back(row("b", "model", 16, 105, 0.4));
  CHECK(cheapest_adapter(rows)->run == "b");
  rows.push_back(row("c", "model", 32, 102, 0.6));
  CHECK(cheapest_adapter(rows)->run == "c");
  rows.push_back(row("d", "model", 64, 101, 0.5));
  rows.push_back(row("e", "model", 64, 99, 0.7));
  CHECK(cheapest_adapter(rows)->run == "d");

  // Where full attention finds pass keys, an adapter that loses them keeps too little.
  auto keyed = rows;
  const auto keys = [&](std::size_t index, std::int64_t right) {
    PasskeyCell cell;
    cell.answers = 100;
    cell.right = right;
    keyed[index].passkeys = {cell};
  };
  for (std::size_t index = 0; index < keyed.size(); ++index) keys(index, 0);
  CHECK(cheapest_adapter(keyed)->run == "d");
  keys(0, 90);
  keys(2, 80);
  CHECK(cheapest_adapter(keyed)->run == "a");
  keys(6, 89);
  CHECK(cheapest_adapter(keyed)->run == "e");

  // Where marks are asked for, right answers are what is to be kept.
  const auto share = [&](std::size_t index, std::int64_t right) { rows[index].answers = {{0, 64, 100, right, 0}}; };
  for (std::size_t index = 0; index < rows.size(); ++index) share(index, 50);
  share(0, 90);
  share(4, 85);
  CHECK(cheapest_adapter(rows)->run == "c");
  share(6, 89);
  CHECK(cheapest_adapter(rows)->run == "e");
}
