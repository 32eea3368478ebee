// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/study_report.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/reproduce/study_plan.h"

using namespace natscope;
using namespace natscope::reproduce;

namespace {

StudyRow row(std::string model, std::string policy, std::optional<double> lambda, int seed, double perplexity,
             double fraction) {
  StudyRow made;
  made.run = model + std::to_string(seed);
  made.model = std::move(model);
  made.policy = std::move(policy);
  made.lambda = lambda;
  made.seed = seed;
  made.perplexity = perplexity;
  made.kv_fraction = made.paper_kv_fraction = fraction;
  made.tokens = 10;
  return made;
}

}  // namespace

TEST_CASE("rows are compared with full attention of their own seed, then averaged") {
  const std::vector<StudyRow> rows{
      row("full", "full", {}, 0, 100, 1),      row("full", "h2o:8,8", {}, 0, 150, 0.25),
      row("nats", "model", 1e-9, 0, 90, 0.3),  row("window", "window:20", 1e-9, 0, 95, 0.31),
      row("full", "full", {}, 1, 200, 1),      row("full", "h2o:8,8", {}, 1, 320, 0.25),
      row("nats", "model", 1e-9, 1, 200, 0.5), row("window", "window:32", 1e-9, 1, 210, 0.5),
      row("nats", "model", 1e-9, 2, 1, 0.5)};  // its full attention is not there yet
  const auto groups = groups_of(rows);
  REQUIRE(groups.size() == 4);
  CHECK(groups[0].series == "full attention");
  CHECK(groups[0].ratio.mean == 1.0);
  CHECK(groups[1].ratio.mean == doctest::Approx(1.55));
  CHECK(groups[1].ratio.low == doctest::Approx(1.5));
  CHECK(groups[1].ratio.high == doctest::Approx(1.6));
  CHECK(groups[2].series == "NAtS");
  CHECK(groups[2].ratio.mean == doctest::Approx(0.95));
  CHECK(groups[2].kv_fraction.mean == doctest::Approx(0.4));
  CHECK(groups[2].seeds == std::vector<int>{0, 1});
  CHECK(groups[3].policy == "window:20 window:32");

  const auto json = results_json({}, rows);
  CHECK(json["rows"][2]["full_perplexity"] == 100.0);
  CHECK(json["rows"][7]["full_perplexity"] == 200.0);
  CHECK(json["rows"][8]["full_perplexity"].is_null());
  CHECK(json["rows"][2]["task"] == "books");

  const std::string table = results_table(groups);
  CHECK(table.find("| NAtS | 1e-09 | model | 2 | 40.0 (30.0 – 50.0) |") != std::string::npos);
  CHECK(table.find("0.9500 (0.9000 – 1.0000)") != std::string::npos);

  const SeriesChart chart = results_chart({}, groups);
  REQUIRE(chart.series.size() == 4);
  CHECK(chart.series[2].points[0].y.mean == doctest::Approx(0.95));
}

TEST_CASE("a line goes along lambda, and without one from left to right") {
  const std::vector<StudyRow> rows{row("full", "full", {}, 0, 100, 1),       row("full", "h2o:4,4", {}, 0, 150, 0.5),
                                   row("full", "h2o:2,2", {}, 0, 160, 0.25), row("nats", "model", 0.0, 0, 90, 0.5),
                                   row("nats", "model", 1e-7, 0, 91, 0.07),  row("nats", "model", 3e-7, 0, 92, 0.03),
                                   row("nats", "model", 1e-6, 0, 93, 0.035)};
  const SeriesChart chart = results_chart({}, groups_of(rows));
  const auto shares = [&](std::size_t series) {
    std::vector<double> all;
    for (const ChartPoint& point : chart.series[series].points) all.push_back(point.x.mean);
    return all;
  };
  REQUIRE(chart.series.size() == 3);
  CHECK(shares(1) == std::vector<double>{0.25, 0.5});
  CHECK(chart.series[2].name == "NAtS");
  CHECK(shares(2) == std::vector<double>{0.035, 0.03, 0.07, 0.5});
}

TEST_CASE("answers of all seeds are counted by their distance, and one seed has no spread") {
  std::vector<StudyRow> rows{row("full", "full", {}, 0, 100, 1), row("full", "full", {}, 1, 100, 1),
                             row("nats", "model", 1e-9, 0, 90, 0.25)};
  rows[0].answers = {{0, 64, 10, 10, 0}, {64, 128, 4, 1, 0}, {128, 256, 0, 0, 0}};
  rows[1].answers = {{0, 64, 10, 5, 0}, {64, 128, 4, 2, 0}, {128, 256, 0, 0, 0}};
  rows[2].answers = {{0, 64, 8, 2, 0}, {64, 128, 0, 0, 0}, {128, 256, 0, 0, 0}};
  const std::string table = results_table(groups_of(rows));
  CHECK(table.find("| right answers % | 0 – 63 back | 64 – 127 back |\n") != std::string::npos);
  CHECK(table.find("| 64.3 (50.0 – 78.6) | 75.0 | 37.5 |\n") != std::string::npos);
  CHECK(table.find("| 1 | 25.0 | 25.0 | 90.00 | 0.9000 | 25.0 | 25.0 | – |\n") != std::string::npos);
}

TEST_CASE("rows survive their file") {
  StudyRow made = row("nats", "model", 5e-9, 2, 12.3456789, 0.0625);
  made.global_share = 0.25;
  made.answers = {{0, 64, 3, 1, 4.5}, {64, 128, 5, 2, 6.5}};
  const auto back = row_from_json(row_json(made));
  REQUIRE(back);
  CHECK(back->perplexity == made.perplexity);
  CHECK(back->lambda == made.lambda);
  CHECK(back->global_share == 0.25);
  CHECK_FALSE(back->local_share);
  CHECK(back->accuracy() == 3.0 / 8.0);
  CHECK(row_json(*back) == row_json(made));
  auto damaged = row_json(made);
  damaged["perplexity"] = "low";
  CHECK(row_from_json(damaged).error().code == ErrorCode::bad_job);
}

TEST_CASE("the plan: full attention first, masks behind the learned roles whose budget they have") {
  StudyOptions options;
  options.lambdas = {0, 1e-9};
  options.seeds = 2;
  std::vector<std::string> keys;
  for (const StudyRun& run : study_plan(options)) keys.push_back(run.key);
  REQUIRE(keys.size() == 16);
  CHECK(keys[0] == "full-seed0");
  CHECK(keys[1] == "nats-0.0-seed0");
  CHECK(keys[2] == "nats-1e-09-seed0");
  CHECK(keys[3] == "window-0.0-seed0");
  CHECK(keys[7] == "full-seed1");
  CHECK(keys[14] == "nats-paper-charge-1e-09-seed0");
  CHECK(study_plan(options)[3].budget_of == "nats-0.0-seed0");
}
