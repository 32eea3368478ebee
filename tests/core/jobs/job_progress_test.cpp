// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_progress.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::test::TemporaryFolder;

namespace {

const std::string step_line =
    R"({"step":7,"loss":2.5,"learning_rate":0.001,"gradient_norm":1.5,"tokens_per_s":100,"eta_s":9.5,)"
    R"("sampled":{"global":0.5,"local":0.25,"sliding":0.25,"kv_fraction":0.75},"argmax":null})";
const std::string evaluation_line =
    R"({"step":7,"evaluation":{"tokens":64,"nll":1.0,"perplexity":2.7,"bits_per_byte":0.5,"roles":null,"heads":[)"
    R"([{"global":1,"local":0,"sliding":0,"kv_fraction":1},{"global":0,"local":0,"sliding":1,"kv_fraction":0.5}]]}})";

}  // namespace

TEST_CASE("a step's line and an evaluation's line are read as numbers") {
  const auto step = parse_progress_line(step_line);
  REQUIRE(step);
  const auto& point = std::get<StepPoint>(*step);
  CHECK(point.step == 7);
  CHECK(point.loss == 2.5);
  CHECK(point.eta_s == 9.5);
  REQUIRE(point.sampled);
  CHECK(point.sampled->kv_fraction == 0.75);
  CHECK_FALSE(point.argmax);

  const auto line = parse_progress_line(evaluation_line);
  REQUIRE(line);
  const auto& evaluation = std::get<EvaluationPoint>(*line);
  CHECK(evaluation.tokens == 64);
  REQUIRE(evaluation.heads.size() == 1);
  CHECK(evaluation.heads[0].size() == 2);
  CHECK(evaluation.layer(0).global == 0.5);
  CHECK(evaluation.layer(0).kv_fraction == 0.75);
  CHECK(step_of(*line) == 7);
}

TEST_CASE("what a newer trainer adds is passed over, what is missing is absent") {
  const auto step = parse_progress_line(R"({"step":1,"loss":3,"distillation":{"x":[1,2]}})");
  REQUIRE(step);
  CHECK_FALSE(std::get<StepPoint>(*step).learning_rate);
}

TEST_CASE("lines that are none say which key is wrong") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "no JSON"},
      {"nonsense", "no JSON"},
      {"[]", "no JSON object"},
      {"7", "no JSON object"},
      {"{}", "step"},
      {R"({"step":1})", "loss"},
      {R"({"step":1,"loss":null})", "loss"},
      {R"({"step":1,"loss":"low"})", "loss"},
      {R"({"step":-1,"loss":1})", "step"},
      {R"({"step":1.5,"loss":1})", "step"},
      {R"({"step":18446744073709551615,"loss":1})", "step"},
      {R"({"step":1,"loss":1,"eta_s":[]})", "eta_s"},
      {R"({"step":1,"loss":1,"sampled":7})", "sampled"},
      {R"({"step":1,"loss":1,"sampled":{}})", "global"},
      {R"({"step":1,"loss":1,"sampled":{"global":2,"local":0,"sliding":0,"kv_fraction":0}})", "global"},
      {R"({"step":1,"loss":1,"sampled":{"global":1,"local":0,"sliding":0,"kv_fraction":-0.5}})", "kv_fraction"},
      {R"({"step":1,"evaluation":[]})", "evaluation"},
      {R"({"step":1,"evaluation":{}})", "tokens"},
      {R"({"step":1,"evaluation":{"tokens":1,"nll":1,"heads":{}}})", "heads"},
      {R"({"step":1,"evaluation":{"tokens":1,"nll":1,"heads":[[]]}})", "heads"},
      {R"({"step":1,"evaluation":{"tokens":1,"nll":1,"heads":[7]}})", "heads"},
      {R"({"step":1,"step":2,"loss":1})", "twice"},
      {std::string(1000, '['), "deeper"},
  };
  for (const auto& [line, wrong] : table) {
    CAPTURE(line);
    const auto point = parse_progress_line(line);
    REQUIRE_FALSE(point);
    CHECK(point.error().code == ErrorCode::bad_job);
    CHECK_MESSAGE(point.error().message.find(wrong) != std::string::npos, point.error().message);
  }
}

TEST_CASE("a follower passes over a cut line, counts it, and begins anew when a resumed run rewrites the file") {
  const TemporaryFolder folder;
  const auto path = folder / "progress.jsonl";
  ProgressFollower follower(folder.path());
  CHECK(follower.poll()->points.empty());
  test::write_bytes(path, step_line + "\n" + R"({"step":8,"lo)" + "\n" + evaluation_line + "\n" + R"({"step":9)");
  auto news = follower.poll();
  REQUIRE(news);
  CHECK(news->points.size() == 2);
  CHECK(news->bad_lines == 1);
  CHECK(news->problem.find("line 2") != std::string::npos);
  std::ofstream(path, std::ios::app) << R"(,"loss":1})"
                                     << "\n";
  news = follower.poll();
  REQUIRE(news->points.size() == 1);
  CHECK(step_of(news->points[0]) == 9);
  test::write_bytes(folder / "new", step_line + "\n");
  std::filesystem::rename(folder / "new", path);
  news = follower.poll();
  CHECK(news->restarted);
  CHECK(news->points.size() == 1);
}
