// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/scale.h"

#include <doctest/doctest.h>

#include <bit>
#include <limits>

namespace natscope {
namespace {

Heatmap map_of(std::int32_t first_key, std::vector<float> values, std::vector<std::uint8_t> visible) {
  const auto rows = static_cast<std::int32_t>(values.size() / 3);
  return {FigureKind::attention,      LayerId(0),        HeadId(0),         {5, 5 + rows},
          {first_key, first_key + 3}, std::move(values), std::move(visible)};
}

TEST_CASE("linear and logarithmic places") {
  const ScaleRange linear{0, 2, ScaleKind::linear};
  CHECK(place(0, linear) == 0.0F);
  CHECK(place(1, linear) == 0.5F);
  CHECK(place(5, linear) == 1.0F);
  CHECK(place(-1, linear) == 0.0F);
  CHECK(place(std::numeric_limits<double>::quiet_NaN(), linear) == 0.0F);
  const ScaleRange log{1e-4, 1, ScaleKind::log};
  CHECK(place(0, log) == 0.0F);
  CHECK(place(1e-2, log) == doctest::Approx(0.5));
  CHECK(place(1e-9, log) == 0.0F);
  CHECK(place(1, log) == 1.0F);
}

TEST_CASE("the range comes from visible cells, up to the percentile") {
  const std::vector<float> values{0.1F, 0.2F, 0.3F, 0.4F, 9.0F};
  const std::vector<std::uint8_t> visible{1, 1, 1, 1, 0};
  CHECK(range_of(values, visible, {}).high == doctest::Approx(0.4));
  CHECK(range_of(values, {}, {}).high == doctest::Approx(9.0));
  CHECK(range_of(values, visible, {.clip_percentile = 50}).high == doctest::Approx(0.2));
  CHECK(range_of(values, visible, {.clip_percentile = 51}).high == doctest::Approx(0.3));
  CHECK(range_of(values, visible, {.clip_percentile = 1e-9}).high == doctest::Approx(0.1));
  CHECK(range_of(values, visible, {.kind = ScaleKind::log}).low == doctest::Approx(0.1));
}

TEST_CASE("a range of weights that were only counted is that of the weights, to their 7 bits of fraction") {
  std::vector<float> values;
  for (int i = 0; i < 1000; ++i) values.push_back(1.0F / static_cast<float>(1 + i * i % 9973));
  values.insert(values.end(), 300, 0.0F);
  std::vector<std::uint64_t> counts(1U << 15U);
  for (const float value : values) ++counts[std::bit_cast<std::uint32_t>(value) >> 16U];
  for (const ScaleKind kind : {ScaleKind::linear, ScaleKind::log}) {
    for (const double clip : {0.001, 10.0, 50.0, 99.5, 100.0}) {
      CAPTURE(clip);
      const ScaleRange exact = range_of(values, {}, {.kind = kind, .clip_percentile = clip});
      const ScaleRange counted = range_of_counts(counts, {.kind = kind, .clip_percentile = clip});
      CHECK(counted.kind == kind);
      CHECK(counted.high <= exact.high);
      CHECK(counted.high >= exact.high * (1 - 1.0 / 128));
      CHECK(counted.low <= exact.low);
      CHECK(counted.low >= exact.low * (1 - 1.0 / 128));
    }
  }
  const ScaleRange none = range_of_counts(std::vector<std::uint64_t>(1U << 15U), {.kind = ScaleKind::log});
  CHECK(none == range_of({}, {}, {.kind = ScaleKind::log}));
}

TEST_CASE("a range is never empty") {
  const std::vector<float> cases[] = {{},
                                      {0, 0},
                                      {1, 1},
                                      {1e-30F, 0},
                                      {std::numeric_limits<float>::quiet_NaN()},
                                      {std::numeric_limits<float>::infinity()}};
  for (const auto& values : cases) {
    for (const ScaleKind kind : {ScaleKind::linear, ScaleKind::log}) {
      const ScaleRange range = range_of(values, {}, {.kind = kind, .clip_percentile = 10});
      CHECK(range.high > range.low);
      if (kind == ScaleKind::log) CHECK(range.low > 0);
      CHECK(place(0.5, range) >= 0);
    }
  }
  // four decades at most
  const ScaleRange range = range_of(std::vector<float>{1e-20F, 1}, {}, {.kind = ScaleKind::log});
  CHECK(range.low == doctest::Approx(1e-4));
}

TEST_CASE("a fixed range is the range, whatever the weights are") {
  const std::vector<float> values{0.1F, 0.2F, 9};
  for (const ScaleKind kind : {ScaleKind::linear, ScaleKind::log}) {
    const auto fixed = parse_fixed_range("1e-4:0.25", kind);
    REQUIRE(fixed);
    ScaleOptions options{.kind = kind, .clip_percentile = 50};
    options.range = *fixed;
    CHECK(range_of(values, {}, options) == ScaleRange{1e-4, 0.25, kind});
    CHECK(range_of({}, {}, options) == ScaleRange{1e-4, 0.25, kind});
    CHECK(range_of_counts(std::vector<std::uint64_t>(1U << 15U), options) == ScaleRange{1e-4, 0.25, kind});
    const ScaleRange drawn = range_of(values, {}, options);
    const Metadata said = scale_metadata(FigureKind::attention, options, &drawn);
    CHECK(said.at("range") == "1e-04:0.25");
    CHECK_FALSE(said.contains("clip"));
    CHECK(*parse_fixed_range(said.at("range"), kind) == *fixed);  // one figure's range is another one's flag
  }
  CHECK(parse_fixed_range("0:1", ScaleKind::linear));
  for (const char* bad : {"", ":", "1", "0:0", "1:0.5", "-1:1", "0:nan", "0:inf", "a:b", "0:1:2", " 0:1", "0:1 "}) {
    CAPTURE(bad);
    CHECK(parse_fixed_range(bad, ScaleKind::linear).error().code == ErrorCode::usage);
  }
  CHECK(parse_fixed_range("0:1", ScaleKind::log).error().code == ErrorCode::usage);
}

TEST_CASE("rows are divided by their largest visible weight, after the sink is hidden") {
  const Heatmap map = map_of(0, {0.8F, 0.1F, 0.05F, 0.6F, 0.0F, 0.4F}, {1, 1, 1, 1, 0, 1});
  const Heatmap rows = prepared(map, {.normalise = Normalise::row});
  CHECK(rows.values[0] == 1.0F);
  CHECK(rows.values[5] == doctest::Approx(0.4F / 0.6F));
  CHECK(rows.values[4] == 0.0F);
  const Heatmap hidden = prepared(map, {.normalise = Normalise::row, .hide_sink = true});
  CHECK(hidden.visible[0] == 0);
  CHECK(hidden.values[0] == 0.0F);
  CHECK(hidden.values[1] == 1.0F);
  CHECK(hidden.values[2] == doctest::Approx(0.5F));
  // a piece that does not begin at key 0 has no sink
  CHECK(prepared(map_of(4, {0.8F, 0.1F, 0.1F}, {1, 1, 1}), {.hide_sink = true}).visible[0] == 1);
  // untouched without options
  CHECK(prepared(map, {}).values == map.values);
}

}  // namespace
}  // namespace natscope
