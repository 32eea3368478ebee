// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/scratch_study.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/cache/policy.h"
#include "core/jobs/job_status.h"
#include "core/reproduce/study_folder.h"
#include "tests/core/reproduce/made_up_text.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::reproduce;
using natscope::test::made_up_text;
using natscope::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

StudyOptions micro(const TemporaryFolder& folder, const char* out, StudyTask task = StudyTask::books) {
  test::write_bytes(folder / "train.txt", made_up_text(0, 900));
  test::write_bytes(folder / "test.txt", made_up_text(3000, 200));
  StudyOptions options;
  options.data = folder / "train.txt";
  options.test = folder / "test.txt";
  options.out = folder / out;
  options.size = "micro";
  options.task = task;
  options.lambdas = {1e-8, 0};
  options.seeds = 1;
  options.threads = 1;
  const auto resolved = resolve(options);
  REQUIRE(resolved);
  return *resolved;
}

void quiet(const std::string&) {}

std::vector<StudyRow> run_whole(const StudyOptions& options) {
  auto study = ScratchStudy::open(options, quiet, {});
  REQUIRE(study);
  const auto done = study->run({}, {});
  REQUIRE_MESSAGE(done, done.error().message);
  auto rows = study->rows();
  REQUIRE(rows);
  return *rows;
}

nlohmann::json all_json(const std::vector<StudyRow>& rows) {
  auto list = nlohmann::json::array();
  for (const StudyRow& row : rows) list.push_back(row_json(row));
  return list;
}

}  // namespace

TEST_CASE("a whole study at a microscopic size: every model, policy and λ has its row") {
  const TemporaryFolder folder;
  const StudyOptions options = micro(folder, "study");
  const auto rows = run_whole(options);
  // Full attention under 1 + 10 policies, 2 λ, 2 masks each, and the paper's charge at λ > 0.
  CHECK(rows.size() == 11 + 2 + 4 + 1);
  for (const StudyRow& row : rows) {
    CAPTURE(row.run);
    CAPTURE(row.policy);
    CHECK(std::isfinite(row.perplexity));
    CHECK(row.perplexity > 1);
    CHECK(row.kv_fraction > 0);
    CHECK(row.kv_fraction <= 1);
    CHECK(row.tokens == 1024 / 128 * 127);
  }
  CHECK(rows[0].policy == "full");
  CHECK(rows[0].kv_fraction == 1.0);
  // A mask holds what the learned roles of its λ held, to whole tokens.
  const auto fraction_of = [&](const std::string& run) {
    for (const StudyRow& row : rows) {
      if (row.run == run) return row.kv_fraction;
    }
    return 0.0;
  };
  CHECK(fraction_of("window-0.0-seed0") == doctest::Approx(fraction_of("nats-0.0-seed0")).epsilon(0.1));
  CHECK(fraction_of("streaming-1e-08-seed0") == doctest::Approx(fraction_of("nats-1e-08-seed0")).epsilon(0.1));
  // Finished runs keep their model and lose their checkpoints.
  CHECK(fs::exists(options.out / "runs/full-seed0/model/config.json"));
  CHECK_FALSE(fs::exists(options.out / "runs/full-seed0/job/checkpoints"));
}

TEST_CASE("a study that was stopped in the middle ends with the rows of one that was not") {
  const TemporaryFolder folder;
  const auto whole = run_whole(micro(folder, "whole"));

  const StudyOptions options = micro(folder, "stopped");
  std::size_t turns = 0;
  for (bool stopped = true; stopped; ++turns) {
    REQUIRE(turns < 40);
    StopSource stop;
    int steps = 0;
    StudyListener listener;
    listener.step = [&](const train::StepReport&) {
      if (++steps == 4) stop.request_stop();
    };
    auto study = ScratchStudy::open(options, quiet, stop.get_token());
    REQUIRE(study);
    const auto done = study->run(listener, stop.get_token());
    stopped = !done;
    if (!done) CHECK(done.error().code == ErrorCode::interrupted);
  }
  CHECK(turns > 3);
  auto study = ScratchStudy::open(options, quiet, {});
  REQUIRE(study);
  CHECK(all_json(*study->rows()) == all_json(whole));
}

TEST_CASE("a study that was moved in the middle of a training goes on where it is") {
  const TemporaryFolder folder;
  StudyOptions options = micro(folder, "here");
  options.lambdas = {0};
  StopSource stop;
  StudyListener listener;
  listener.step = [&](const train::StepReport& report) {
    if (report.step == 3) stop.request_stop();
  };
  {
    auto study = ScratchStudy::open(options, quiet, {});
    REQUIRE(study);
    CHECK(study->run(listener, stop.get_token()).error().code == ErrorCode::interrupted);
  }
  fs::rename(folder / "here", folder / "there");
  options.out = folder / "there";
  CHECK(run_whole(options).size() == 11 + 1 + 2);
  CHECK_FALSE(fs::exists(folder / "here"));
}

TEST_CASE("a model that was kept on the way is trained to its end before it is scored") {
  const TemporaryFolder folder;
  StudyOptions options = micro(folder, "study");
  options.lambdas = {0};
  StudyListener listener;
  const fs::path job = options.out / "runs/full-seed0/job";
  listener.step = [&](const train::StepReport& report) {
    if (report.step == 2) REQUIRE(jobs::request_stop(job, jobs::StopMode::keep_model));
  };
  auto study = ScratchStudy::open(options, quiet, {});
  REQUIRE(study);
  CHECK(study->run(listener, {}).error().code == ErrorCode::interrupted);
  REQUIRE(fs::exists(options.out / "runs/full-seed0/model/config.json"));

  const auto whole = run_whole(micro(folder, "whole"));
  const auto rows = run_whole(options);
  CHECK(rows.front().run == "full-seed0");
  CHECK(rows.front().perplexity == whole.front().perplexity);
}

TEST_CASE("the distance task has answers to score, and its own training text") {
  const TemporaryFolder folder;
  StudyOptions options = micro(folder, "distance", StudyTask::distance);
  options.lambdas = {0};
  options.test_tokens = 8192;  // at this size few marks and their repetitions fit one segment
  const auto rows = run_whole(options);
  REQUIRE(!rows.empty());
  std::int64_t answers = 0;
  for (const AnswersAtDistance& bin : rows.front().answers) answers += bin.answers;
  CHECK(answers > 0);
  CHECK(rows.front().accuracy());
  CHECK(test::read_bytes(options.out / "text/00000.txt").find("\n* ") != std::string::npos);
}

TEST_CASE("a folder belongs to one study") {
  const TemporaryFolder folder;
  StudyOptions options = micro(folder, "study");
  REQUIRE(ScratchStudy::open(options, quiet, {}));
  options.steps += 1;
  CHECK(ScratchStudy::open(options, quiet, {}).error().code == ErrorCode::usage);
  options.steps -= 1;
  // More λ or seeds are more of the same study.
  options.seeds = 2;
  CHECK(ScratchStudy::open(options, quiet, {}));
}

TEST_CASE("a study is of the texts that it began with") {
  const TemporaryFolder folder;
  const StudyOptions options = micro(folder, "study");
  REQUIRE(ScratchStudy::open(options, quiet, {}));
  for (const auto& [file, what] : {std::pair{"test.txt", "text to score on"}, {"train.txt", "training text"}}) {
    const std::string text = test::read_bytes(folder / file);
    test::write_bytes(folder / file, "Once more: " + text);
    const auto other = ScratchStudy::open(options, quiet, {});
    REQUIRE_FALSE(other);
    CHECK(other.error().code == ErrorCode::usage);
    CHECK_MESSAGE(other.error().message.find(what) != std::string::npos, other.error().message);
    test::write_bytes(folder / file, text);
    CHECK(ScratchStudy::open(options, quiet, {}));
  }
  // One that began before this was written down takes what is there.
  fs::remove(folder / "study/inputs.json");
  CHECK(ScratchStudy::open(options, quiet, {}));
}

TEST_CASE("a study that could not begin leaves its folder to one with other options") {
  const TemporaryFolder folder;
  for (const StudyTask task : {StudyTask::books, StudyTask::distance}) {
    CAPTURE(name(task));
    StudyOptions options = micro(folder, name(task), task);
    options.test_tokens = 100;  // less than a segment
    const auto refused = ScratchStudy::open(options, quiet, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::bad_data);
    // What the message advises helps, and nothing is left of the first attempt: its text may have been another.
    for (const char* made : {"study.json", "tokenizer.model", "text"}) CHECK_FALSE(fs::exists(options.out / made));
    options.test_tokens = 1024;
    CHECK(ScratchStudy::open(options, quiet, {}));
    // A study that is there stays, whatever comes to be missing.
    fs::remove(options.test);
    CHECK_FALSE(ScratchStudy::open(options, quiet, {}));
    test::write_bytes(options.test, "short");
    CHECK_FALSE(ScratchStudy::open(options, quiet, {}));
    CHECK(fs::exists(options.out / "study.json"));
    CHECK(fs::exists(options.out / "tokenizer.model"));
  }
}

TEST_CASE("a folder remembers what its study was begun with") {
  const TemporaryFolder folder;
  const StudyOptions options = micro(folder, "study", StudyTask::distance);
  REQUIRE(ScratchStudy::open(options, quiet, {}));
  StudyOptions only_out;
  only_out.out = options.out;
  const auto recalled = recall(only_out);
  REQUIRE(recalled);
  CHECK(study_json(*recalled) == study_json(options));
  CHECK(ScratchStudy::open(*resolve(*recalled), quiet, {}));

  only_out.out = folder / "nowhere";
  CHECK(recall(only_out)->data.empty());
  for (const char* text : {"{}", R"({"study": "finetune"})", R"({"study": "scratch", "data": 3})", "[]"}) {
    test::write_bytes(options.out / "study.json", text);
    only_out.out = options.out;
    CHECK(recall(only_out).error().code == ErrorCode::bad_job);
  }
}

TEST_CASE("a study that was begun with relative paths goes on from another folder, and its results name no place") {
  const TemporaryFolder folder;
  StudyOptions options = micro(folder, "study");
  const auto here = fs::current_path();
  fs::current_path(folder.path());
  options.data = "train.txt";
  options.test = "test.txt";
  CHECK(ScratchStudy::open(options, quiet, {}));
  fs::create_directories(folder / "elsewhere");
  fs::current_path(folder / "elsewhere");
  StudyOptions only_out;
  only_out.out = options.out;
  const auto recalled = recall(only_out);
  REQUIRE(recalled);
  CHECK(ScratchStudy::open(*resolve(*recalled), quiet, {}));
  options.data = "../train.txt";
  options.test = folder / "test.txt";
  CHECK(ScratchStudy::open(options, quiet, {}));
  options.test = "../train.txt";
  CHECK_FALSE(ScratchStudy::open(options, quiet, {}));
  fs::current_path(here);
  CHECK(published_study(study_json(*recalled))["data"] == "train.txt");
}

TEST_CASE("a damaged row is named") {
  const TemporaryFolder folder;
  const StudyOptions options = micro(folder, "study");
  auto study = ScratchStudy::open(options, quiet, {});
  REQUIRE(study);
  fs::create_directories(options.out / "runs/full-seed0");
  test::write_bytes(options.out / "runs/full-seed0/rows.json", "[{}]");
  CHECK(study->rows().error().code == ErrorCode::bad_job);
  test::write_bytes(options.out / "runs/full-seed0/rows.json", "[]");
  CHECK(study->rows().error().message.find("rows.json") != std::string::npos);
}

TEST_CASE("options that cannot be are refused by name") {
  StudyOptions options;
  options.data = "a";
  options.test = "b";
  options.out = "c";
  CHECK(resolve(options));
  options.size = "huge";
  CHECK(resolve(options).error().message.find("--size") != std::string::npos);
  options.size = "micro";
  options.lambdas = {-1};
  CHECK(resolve(options).error().code == ErrorCode::usage);
  options.lambdas = {1e-8, 0, 1e-8};
  CHECK(resolve(options)->lambdas == std::vector<double>{0, 1e-8});
  options.seeds = 0;
  CHECK(resolve(options).error().message.find("--seeds") != std::string::npos);
}
