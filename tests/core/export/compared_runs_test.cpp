// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/export/compared_runs.h"
#include "core/export/data_files.h"
#include "tests/core/session/recorded_run.h"

namespace natscope {
namespace {

/// The made-up run with other probabilities, 0 (not known) for the first token, and other tokens from `parting` on.
SequenceRecord run_with(const std::vector<float>& probabilities, std::int32_t parting = test::run_tokens) {
  const SequenceRecord made_up = test::recorded_run();
  SequenceRecord record(made_up.geometry(), true, 2);
  for (TokenFrame frame : made_up.frames()) {
    frame.evicted.clear();
    const auto at = static_cast<std::size_t>(frame.position.value);
    frame.probability = at < probabilities.size() ? probabilities[at] : 0.0F;
    if (frame.position.value >= parting) ++frame.token;
    REQUIRE(record.append(std::move(frame)));
  }
  return record;
}

const std::vector<float> some{0.0F, 0.5F, 0.25F, 0.3F, 0.0F, 0.01F, 0.9F};

TEST_CASE("a text's losses are those of its frames, and nothing where they are not known") {
  const SequenceRecord record = run_with(some);
  const Provenance provenance = test::run_provenance();
  const auto figure = loss_figure({record, provenance}, nullptr, {1, 7});
  REQUIRE(figure);
  const auto& text = std::get<LossText>(figure->values);
  REQUIRE(text.losses.size() == 6);
  CHECK_FALSE(text.is_compared());
  CHECK(text.losses[0] == doctest::Approx(std::log(2.0)));
  CHECK(std::isnan(text.losses[3]));
  const auto json = nlohmann::json::parse(json_text(*figure));
  CHECK(json["values"][0]["loss"].get<double>() == text.losses[0]);
  CHECK(json["values"][3]["loss"].is_null());
  CHECK_FALSE(json["values"][0].contains("difference"));
  CHECK(json["provenance"]["keys"] == "1:7");
  const std::string csv = csv_text(*figure);
  CHECK(csv.rfind("position,token,text,loss\n1,101,\"\",0.69", 0) == 0);
  CHECK(csv.find("4,104,\" wörd\",\n") != std::string::npos);
  CHECK_FALSE(check_format(figure->kind, ExportFormat::npy));

  const SequenceRecord none = run_with({});
  CHECK(loss_figure({none, provenance}, nullptr, {0, 7}).error().code == ErrorCode::bad_trace);
  CHECK(loss_figure({record, provenance}, nullptr, {0, 8}).error().code == ErrorCode::bad_position);
}

TEST_CASE("losses compare as far as both runs read the same") {
  const SequenceRecord record = run_with(some);
  const SequenceRecord other = run_with({0.0F, 0.25F, 0.25F, 0.6F, 0.5F, 0.5F, 0.5F}, 5);
  const Provenance provenance = test::run_provenance();
  Provenance theirs = provenance;
  theirs.policy = "full";
  const RunOf beside{other, theirs};
  const auto figure = loss_figure({record, provenance}, &beside, {0, 7});
  REQUIRE(figure);
  const auto& text = std::get<LossText>(figure->values);
  CHECK(std::isnan(text.difference(0)));
  CHECK(text.difference(1) == doctest::Approx(-std::log(2.0)));
  CHECK(text.difference(2) == 0);
  CHECK(text.difference(3) == doctest::Approx(std::log(2.0)));
  CHECK(std::isnan(text.difference(4)));  // not known here
  CHECK(std::isnan(text.other_losses[5]));
  CHECK(std::isnan(text.other_losses[6]));
  CHECK(text.widest_difference == 1);  // ln 2, rounded up
  CHECK(figure_metadata(*figure).at("compared_1_policy") == "full");
  // A part has the colours of the whole.
  const auto part = loss_figure({record, provenance}, &beside, {2, 3});
  REQUIRE(part);
  CHECK(std::get<LossText>(part->values).widest_difference == 1);

  const SequenceRecord elsewhere = run_with(some, 1);
  const RunOf parted{elsewhere, theirs};
  CHECK(loss_figure({record, provenance}, &parted, {0, 7}).error().code == ErrorCode::bad_range);
  const SequenceRecord none = run_with({});
  const RunOf old{none, theirs};
  CHECK(loss_figure({record, provenance}, &old, {0, 7}).error().code == ErrorCode::bad_trace);
}

TEST_CASE("where colours of differences end") {
  CHECK(widest_shown_difference({}) == 0.05);
  const float unknown = std::nanf("");
  CHECK(widest_shown_difference(std::vector<float>{unknown, 0.001F}) == 0.05);
  std::vector<float> many(98, -0.3F);
  many.insert(many.end(), {7.0F, 9.0F, unknown});
  CHECK(widest_shown_difference(many) == doctest::Approx(0.5));
}

TEST_CASE("which of two caches holds what: every cell, in numbers and in columns") {
  const SequenceRecord record = run_with(some);
  // Fewer tokens: held are those after the last one that both have.
  SequenceRecord other(record.geometry(), true, 1);
  for (TokenFrame frame : record.frames()) {
    if (other.size() == 6) break;
    if (frame.position.value == 2) frame.roles.assign(4, Role::local);
    REQUIRE(other.append(std::move(frame)));
  }
  const Provenance provenance = test::run_provenance();
  const RunOf beside{other, provenance};
  const auto figure = held_figure({record, provenance}, beside);
  REQUIRE(figure);
  const auto& map = std::get<HeldMap>(figure->values);
  CHECK(map.counts.tokens == 6);
  REQUIRE(map.held_by.size() == 4 * 6);
  std::array<std::int64_t, 4> seen{};
  for (std::int32_t head = 0; head < 4; ++head) {
    for (std::int32_t n = 0; n < 6; ++n) {
      const HeldBy by = map.held_by[static_cast<std::size_t>(head * 6 + n)];
      CHECK(by == held_by(record, other, LayerId(head / 2), KvHeadId(head % 2), TokenPos(n), 6));
      ++seen[static_cast<std::size_t>(by)];
    }
  }
  CHECK(seen[1] == map.counts.both);
  CHECK(seen[2] == map.counts.first);
  CHECK(seen[3] == map.counts.second);
  CHECK(seen[2] + seen[3] > 0);
  const auto json = nlohmann::json::parse(json_text(*figure));
  CHECK(json["values"][1][0][3].get<int>() == static_cast<int>(map.held_by[2 * 6 + 3]));
  CHECK(json["provenance"].contains("held_key"));
  const std::string csv = csv_text(*figure);
  CHECK(csv.rfind("layer,kv_head,position,held,compared_held\n0,0,0,", 0) == 0);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 4 * 6);
  CHECK(npy_bytes(*figure).find("(2, 2, 6)") != std::string::npos);

  const SequenceRecord one_layer(CacheGeometry{1, 2, 8, kernels::ElementType::f32}, false, 2);
  const RunOf smaller{one_layer, provenance};
  CHECK(held_figure({record, provenance}, smaller).error().code == ErrorCode::bad_range);
}

}  // namespace
}  // namespace natscope
