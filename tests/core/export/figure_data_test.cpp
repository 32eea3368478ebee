// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/figure_request.h"

#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "core/export/data_files.h"
#include "core/export/figures.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

const MapId map_0_1{LayerId(0), HeadId(1)};
const MapId map_1_3{LayerId(1), HeadId(3)};
const MapId map_0_2{LayerId(0), HeadId(2)};

TEST_CASE("ranges") {
  CHECK(*parse_range("2:5", 7) == PositionRange{2, 5});
  CHECK(*parse_range(":", 7) == PositionRange{0, 7});
  CHECK(*parse_range("3:", 7) == PositionRange{3, 7});
  CHECK(*parse_range(":1", 7) == PositionRange{0, 1});
  CHECK(*parse_range("6:7", 7) == PositionRange{6, 7});
  struct Case {
    const char* text;
    ErrorCode code;
  };
  const Case cases[] = {{"", ErrorCode::usage},
                        {"3", ErrorCode::usage},
                        {"a:b", ErrorCode::usage},
                        {"1:2:3", ErrorCode::usage},
                        {"-1:3", ErrorCode::usage},
                        {"1 :3", ErrorCode::usage},
                        {"99999999999999999999:", ErrorCode::usage},
                        {"0:8", ErrorCode::bad_position},
                        {"9:", ErrorCode::bad_position},
                        {"3:3", ErrorCode::bad_range},
                        {"5:3", ErrorCode::bad_range},
                        {"7:", ErrorCode::bad_range}};
  for (const Case& test : cases) {
    CAPTURE(test.text);
    const auto range = parse_range(test.text, 7);
    REQUIRE_FALSE(range);
    CHECK(range.error().code == test.code);
  }
}

TEST_CASE("the mask of a record and of its trace are the same, stored or not") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::recorded_run();
  REQUIRE(write_trace(folder / "t", test::run_trace(record)));
  const auto trace = TraceFile::open(folder / "t");
  REQUIRE(trace);
  for (const MapId& map : {map_0_1, map_0_2}) {
    const auto from_trace = figure_of_trace({FigureKind::mask, map, {0, 7}, {0, 7}}, *trace);
    REQUIRE_MESSAGE(from_trace, from_trace.error().message);
    const auto from_record = mask_figure(record, test::run_heads, map, {0, 7}, {0, 7}, test::run_provenance());
    REQUIRE(from_record);
    CHECK(std::get<Heatmap>(from_trace->values).visible == std::get<Heatmap>(from_record->values).visible);
    CHECK(std::get<Heatmap>(from_trace->values).values == std::get<Heatmap>(from_record->values).values);
  }
}

TEST_CASE("attention of a trace: a piece of a stored map") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::recorded_run();
  REQUIRE(write_trace(folder / "t", test::run_trace(record)));
  const auto trace = TraceFile::open(folder / "t");
  REQUIRE(trace);
  const auto figure = figure_of_trace({FigureKind::attention, map_1_3, {2, 5}, {1, 4}}, *trace);
  REQUIRE_MESSAGE(figure, figure.error().message);
  const auto& map = std::get<Heatmap>(figure->values);
  REQUIRE(map.values.size() == 9);
  for (std::size_t i = 0; i < 9; ++i) {
    const auto query = static_cast<std::int64_t>(2 + i / 3);
    const auto key = static_cast<std::int64_t>(1 + i % 3);
    CHECK(map.values[i] == test::made_up_weight(map_1_3, query, key, map.visible[i] != 0));
  }
  CHECK(figure->provenance.maps == std::vector<MapId>{map_1_3});

  const auto code = [&](FigureKind kind, MapId id, PositionRange queries = {0, 7}) {
    const auto result = figure_of_trace({kind, id, queries, {0, 7}}, *trace);
    return result ? ErrorCode::internal : result.error().code;
  };
  CHECK(code(FigureKind::attention, map_0_2) == ErrorCode::bad_trace);
  CHECK(code(FigureKind::attention, {LayerId(2), HeadId(0)}) == ErrorCode::bad_layer);
  CHECK(code(FigureKind::attention, {LayerId(-1), HeadId(0)}) == ErrorCode::bad_layer);
  CHECK(code(FigureKind::mask, {LayerId(0), HeadId(4)}) == ErrorCode::bad_head);
  CHECK(code(FigureKind::mask, map_0_2, {0, 99}) == ErrorCode::bad_position);
}

TEST_CASE("a map with more cells than a file may have is refused before there is memory for it") {
  const PositionRange side{0, 1 << 14};
  CHECK(check_map_size(side, side));
  CHECK(check_map_size(side, {0, (1 << 14) + 1}).error().code == ErrorCode::bad_range);
  CHECK(check_map_size({0, INT32_MAX}, {0, INT32_MAX}).error().code == ErrorCode::bad_range);

  SequenceRecord record({1, 1, 8, kernels::ElementType::f32}, false, 4);
  for (std::int32_t at = 0; at <= side.end; ++at) {
    TokenFrame frame;
    frame.position = TokenPos(at);
    frame.roles = {Role::global};
    frame.entries = {at + 1};
    REQUIRE(record.append(std::move(frame)));
  }
  const PositionRange all{0, side.end + 1};
  const Provenance provenance = test::run_provenance();
  const auto mask = figure_of_run({FigureKind::mask, {}, all, all}, {record, provenance}, 1, nullptr, {});
  REQUIRE_FALSE(mask);
  CHECK(mask.error().code == ErrorCode::bad_range);
}

TEST_CASE("under H2O a mask is what was dropped, and where that is not known it is not made up") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::h2o_run();
  REQUIRE(write_trace(folder / "h2o", test::h2o_trace(record)));
  const auto h2o = TraceFile::open(folder / "h2o");
  REQUIRE(h2o);
  for (const MapId& map : {map_0_1, map_0_2}) {  // stored, and not
    const auto mask = figure_of_trace({FigureKind::mask, map, {1, 7}, {0, 7}}, *h2o);
    REQUIRE_MESSAGE(mask, mask.error().message);
    const auto made = mask_figure(record, test::run_heads, map, {1, 7}, {0, 7}, test::run_provenance());
    CHECK(std::get<Heatmap>(mask->values).visible == std::get<Heatmap>(made->values).visible);
  }
  CHECK(figure_of_trace({FigureKind::attention, map_0_2, {0, 7}, {0, 7}}, *h2o).error().code == ErrorCode::bad_trace);

  test::LooseFile loose = test::LooseFile::of(folder / "h2o");
  loose.remove("evicted");
  loose.remove("evicted_ends");
  loose.write(folder / "old");
  const auto old = TraceFile::open(folder / "old");
  REQUIRE(old);
  CHECK(figure_of_trace({FigureKind::mask, map_0_1, {0, 7}, {0, 7}}, *old));
  CHECK(figure_of_trace({.kind = FigureKind::kv}, *old));
  CHECK(figure_of_trace({.kind = FigureKind::heads}, *old));
  CHECK(figure_of_trace({.kind = FigureKind::roles}, *old).error().code == ErrorCode::bad_trace);
  CHECK(figure_of_trace({FigureKind::mask, map_0_2, {0, 7}, {0, 7}}, *old).error().code == ErrorCode::bad_trace);
  CHECK(figure_of_trace({.kind = FigureKind::text, .keys = {0, 7}, .text = TextColours::held_shares}, *old)
            .error()
            .code == ErrorCode::bad_trace);
}

TEST_CASE("a trace that contradicts itself gives no figure") {
  const test::TemporaryFolder folder;
  const auto refused = [&](FigureKind kind, const std::function<void(test::LooseFile&)>& spoil) {
    REQUIRE(write_trace(folder / "good", test::run_trace(test::consistent_run())));
    test::LooseFile file = test::LooseFile::of(folder / "good");
    spoil(file);
    file.write(folder / "bad");
    const auto trace = TraceFile::open(folder / "bad");
    REQUIRE(trace);
    const auto figure =
        figure_of_trace({.kind = kind, .map = {LayerId(0), HeadId(1)}, .queries = {0, 7}, .keys = {0, 7}}, *trace);
    return !figure && figure.error().code == ErrorCode::bad_trace;
  };
  for (const FigureKind kind : {FigureKind::kv, FigureKind::roles, FigureKind::heads, FigureKind::vocabulary})
    CHECK(refused(kind, [](test::LooseFile& file) { file.fill("kv_entries", 0); }));
  for (const FigureKind kind : {FigureKind::kv, FigureKind::roles})
    CHECK(refused(kind, [](test::LooseFile& file) { file.metadata["window"].clear(); }));
  for (const FigureKind kind : {FigureKind::attention, FigureKind::mask, FigureKind::overview}) {
    CHECK(refused(kind, [](test::LooseFile& file) { file.fill("visible", 1); }));       // keys that come later, too
    CHECK(refused(kind, [](test::LooseFile& file) { file.fill("visible", 0); }));       // weight on what is not seen
    CHECK(refused(kind, [](test::LooseFile& file) { file.fill("attention", 0x40); }));  // 3 each
    CHECK_FALSE(refused(kind, [](test::LooseFile&) {}));
  }
}

TEST_CASE("roles and the KV curve of a trace are those of its record") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::consistent_run();
  REQUIRE(write_trace(folder / "t", test::run_trace(record)));
  const auto trace = TraceFile::open(folder / "t");
  REQUIRE(trace);
  const auto roles = figure_of_trace({.kind = FigureKind::roles}, *trace);
  REQUIRE(roles);
  CHECK(std::get<RoleMap>(roles->values).roles == std::get<RoleMap>(roles_figure(record, {}).values).roles);
  CHECK(roles->token_texts == std::vector<std::string>{" wörd", "", " wörd", "", " wörd", "", " wörd"});
  CHECK(std::get<RoleMap>(roles->values).is_held == std::get<RoleMap>(roles_figure(record, {}).values).is_held);
  const auto kv = figure_of_trace({.kind = FigureKind::kv}, *trace);
  REQUIRE(kv);
  const auto& curve = std::get<KvCurve>(kv->values);
  const FigureData from_record = kv_figure(record, {});
  CHECK(curve.entries == std::get<KvCurve>(from_record.values).entries);
  REQUIRE(curve.dense_bytes.size() == 7);
  CHECK(curve.dense_bytes[6] == 7 * 4 * 2 * 8 * 4);  // tokens · heads · (key + value) · head_dim · 4 bytes
}

TEST_CASE("roles under H2O tell what is held, of a record and of its trace") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::h2o_run();
  REQUIRE(write_trace(folder / "t", test::h2o_trace(record)));
  const auto trace = TraceFile::open(folder / "t");
  REQUIRE(trace);
  const auto of_trace = figure_of_trace({.kind = FigureKind::roles}, *trace);
  REQUIRE_MESSAGE(of_trace, of_trace.error().message);
  const FigureData of_record = roles_figure(record, trace->provenance());
  const std::vector<std::uint8_t> newest{0, 0, 0, 0, 1, 1, 1};
  const std::vector<std::uint8_t> first{1, 0, 0, 0, 0, 1, 1};
  std::vector<std::uint8_t> expected;
  for (const auto& row : {newest, first, newest, newest}) expected.insert(expected.end(), row.begin(), row.end());
  CHECK(std::get<RoleMap>(of_record.values).is_held == expected);
  CHECK(std::get<RoleMap>(of_trace->values).is_held == expected);
  CHECK(csv_text(*of_trace).rfind("layer,kv_head,position,role,held\n0,0,0,0,0\n", 0) == 0);
  CHECK(csv_text(*of_trace).find("\n0,1,0,0,1\n0,1,1,0,0\n") != std::string::npos);
  const auto json = nlohmann::json::parse(json_text(*of_trace));
  CHECK(json["held"][0][1] == nlohmann::json{1, 0, 0, 0, 0, 1, 1});
  CHECK(json["values"][0][1] == nlohmann::json{0, 0, 0, 0, 0, 0, 0});
  // With roles, a file of them is what it was.
  const FigureData with_roles = roles_figure(test::consistent_run(), test::run_provenance());
  CHECK(csv_text(with_roles).rfind("layer,kv_head,position,role\n", 0) == 0);
  CHECK_FALSE(nlohmann::json::parse(json_text(with_roles)).contains("held"));
}

TEST_CASE("a mask needs a head and positions that are there") {
  const SequenceRecord record = test::recorded_run();
  const auto code = [&](MapId map, PositionRange queries, PositionRange keys) {
    const auto result = mask_figure(record, test::run_heads, map, queries, keys, {});
    return result ? ErrorCode::internal : result.error().code;
  };
  CHECK(code({LayerId(2), HeadId(0)}, {0, 1}, {0, 1}) == ErrorCode::bad_layer);
  CHECK(code({LayerId(0), HeadId(4)}, {0, 1}, {0, 1}) == ErrorCode::bad_head);
  CHECK(code(map_0_1, {0, 8}, {0, 1}) == ErrorCode::bad_position);
  CHECK(code(map_0_1, {0, 1}, {-1, 1}) == ErrorCode::bad_position);
}

}  // namespace
}  // namespace natscope
