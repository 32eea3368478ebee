// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/trade_off_chart.h"

#include <doctest/doctest.h>

#include <vector>

namespace natscope {

TEST_CASE("policies of a family are a line from left to right, learned roles the strongest") {
  const std::vector<PolicyOutcome> outcomes{
      {"model", 0.2, 40}, {"h2o:8,8", 0.25, 44}, {"full", 1, 39}, {"h2o:2,2", 0.06, 60}};
  const SeriesChart chart = trade_off_chart(outcomes, "model");
  REQUIRE(chart.series.size() == 3);
  CHECK(chart.series[0].name == "learned roles");
  CHECK_FALSE(chart.series[0].is_baseline);
  CHECK(chart.series[1].name == "H2O");
  CHECK(chart.series[1].is_baseline);
  REQUIRE(chart.series[1].points.size() == 2);
  CHECK(chart.series[1].points[0].x.mean == 0.06);
  CHECK(chart.series[1].points[0].y.high == 60);
  CHECK(chart.series[1].points[1].x.low == 0.25);
  CHECK(chart.series[2].name == "full attention");
  CHECK(chart.series[2].look == family_look("full"));
  CHECK(chart.series[1].look == family_look("h2o:9,9"));
  CHECK(chart.note.find("its learned roles") != std::string::npos);
  CHECK(chart.log_x);
}

TEST_CASE("a run in which something was set by hand is a series of its own") {
  const std::vector<PolicyOutcome> outcomes{
      {"model", 0.2, 40}, {"model", 0.1, 70, "learned roles (W 0 set by hand)"}, {"full", 1, 39}};
  const SeriesChart chart = trade_off_chart(outcomes, "model", "after the prompt");
  REQUIRE(chart.series.size() == 3);
  CHECK(chart.series[0].points.size() == 1);
  CHECK(chart.series[1].name == "learned roles (W 0 set by hand)");
  CHECK(chart.series[1].look == -1);
  CHECK(chart.x_label == "KV fraction after the prompt");
}

TEST_CASE("policies of several models are no series together, and the models are named") {
  const std::vector<PolicyOutcome> outcomes{{"model", 0.2, 40, {}, 0, "demo"},
                                            {"h2o:2,2", 0.06, 60, {}, 0, "demo"},
                                            {"model", 0.1, 70, {}, 0, "twin"},
                                            {"h2o:2,2", 0.06, 80, {}, 0, "twin"}};
  const SeriesChart chart = trade_off_chart(outcomes, "model");
  REQUIRE(chart.series.size() == 4);
  CHECK(chart.series[0].name == "demo: learned roles");
  CHECK(chart.series[2].name == "twin: learned roles");
  CHECK(chart.series[3].points.size() == 1);
  CHECK(chart.series[0].look == family_look("model"));
  CHECK(chart.series[2].look != chart.series[0].look);
  CHECK(chart.note.find("several models") != std::string::npos);
}

TEST_CASE("a policy that holds nothing has a place, too") {
  const std::vector<PolicyOutcome> outcomes{{"full", 1, 39}, {"window:0", 0, 900}};
  CHECK_FALSE(trade_off_chart(outcomes, {}).log_x);
  CHECK(trade_off_chart(outcomes, {}).note.empty());
  CHECK(trade_off_chart(outcomes, "full").note.empty());
  CHECK_FALSE(trade_off_chart(outcomes, "window:8").note.empty());
}

}  // namespace natscope
