// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/data_files.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/export/figures.h"
#include "core/export/scale.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using nlohmann::json;

FigureData small_map(FigureKind kind = FigureKind::attention) {
  Heatmap map{kind, LayerId(1), HeadId(3), {4, 6}, {2, 5}, {0.1F, 1.0F / 3.0F, 0, 1e-30F, 0.5F, 1}, {1, 1, 0, 1, 1, 1}};
  if (kind == FigureKind::mask) map.values.assign(map.visible.begin(), map.visible.end());
  FigureData figure{kind, std::move(map), {}, {}, test::run_provenance()};
  figure.provenance.maps = {{LayerId(1), HeadId(3)}};
  return figure;
}

/// What numpy's reader makes of a version 1.0 file: the header's dictionary and the data.
std::pair<std::string, std::string> npy_parts(const std::string& bytes) {
  REQUIRE(bytes.size() >= 10);
  CHECK(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(bytes[8])) +
                      256 * static_cast<std::size_t>(static_cast<unsigned char>(bytes[9]));
  CHECK((10 + length) % 64 == 0);
  const std::string header = bytes.substr(10, length);
  CHECK(header.back() == '\n');
  return {header.substr(0, header.find('}') + 1), bytes.substr(10 + length)};
}

TEST_CASE("npy of every kind") {
  const FigureData attention = small_map();
  const auto [header, data] = npy_parts(npy_bytes(attention));
  CHECK(header == "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  const auto& values = std::get<Heatmap>(attention.values).values;
  REQUIRE(data.size() == 24);
  CHECK(std::memcmp(data.data(), values.data(), 24) == 0);
  CHECK(npy_parts(npy_bytes(small_map(FigureKind::mask))).first ==
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }");
  CHECK(npy_parts(npy_bytes(small_map(FigureKind::mask))).second == std::string("\1\1\0\1\1\1", 6));
  const SequenceRecord record = test::recorded_run();
  CHECK(npy_parts(npy_bytes(roles_figure(record, {}))).first ==
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 7), }");
  const auto curve = npy_parts(npy_bytes(kv_figure(record, {})));
  CHECK(curve.first == "{'descr': '<i4', 'fortran_order': False, 'shape': (7, 2, 2), }");
  CHECK(curve.second.size() == 7 * 2 * 2 * 4);
}

TEST_CASE("csv of every kind, in full precision") {
  CHECK(csv_text(small_map()) == "query,2,3,4\n4,0.1,0.33333334,0\n5,1e-30,0.5,1\n");
  CHECK(csv_text(small_map(FigureKind::mask)) == "query,2,3,4\n4,1,1,0\n5,1,1,1\n");
  const SequenceRecord record = test::recorded_run();
  const std::string roles = csv_text(roles_figure(record, {}));
  CHECK(roles.starts_with("layer,kv_head,position,role\n0,0,0,0\n0,0,1,2\n"));
  CHECK(std::count(roles.begin(), roles.end(), '\n') == 1 + 2 * 2 * 7);
  const std::string curve = csv_text(kv_figure(record, {}));
  CHECK(curve.starts_with("step,layer,kv_head,entries\n0,0,0,1\n0,0,1,2\n0,1,0,3\n0,1,1,1\n1,0,0,2\n"));
}

TEST_CASE("json holds the fields of the contract") {
  const json attention = json::parse(json_text(small_map()));
  CHECK(attention["kind"] == "attention");
  CHECK(attention["layer"] == 1);
  CHECK(attention["head"] == 3);
  CHECK(attention["queries"] == json{4, 5});
  CHECK(attention["keys"] == json{2, 3, 4});
  CHECK(attention["values"].size() == 2);
  CHECK(attention["values"][0][1].get<float>() == 1.0F / 3.0F);
  for (const auto& [key, value] : trace_metadata(small_map().provenance)) CHECK(attention["provenance"][key] == value);

  const SequenceRecord record = test::recorded_run();
  const json roles = json::parse(json_text(roles_figure(record, test::run_provenance())));
  CHECK(roles["kind"] == "roles");
  CHECK(roles["layer"].is_null());
  CHECK(roles["values"].size() == 2);
  CHECK(roles["values"][1][0].size() == 7);
  CHECK(roles["values"][1][0][3] == static_cast<int>(record.roles(LayerId(1), KvHeadId(0))[3]));
  const json curve = json::parse(json_text(kv_figure(record, {})));
  CHECK(curve["values"].size() == 7);
  CHECK(curve["values"][6][1][0] == record.frame(TokenPos(6)).entries[2]);
  CHECK(json::parse(json_text(small_map(FigureKind::mask)))["values"] == json{{1, 1, 0}, {1, 1, 1}});
}

TEST_CASE("a value that is no number is null in json and named in csv") {
  FigureData figure = small_map();
  std::get<Heatmap>(figure.values).values[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(json::parse(json_text(figure))["values"][0][0].is_null());
  CHECK(csv_text(figure).find("4,nan,") != std::string::npos);
}

TEST_CASE("a large map is written in pieces and whole") {
  const std::int32_t size = 700;
  Heatmap map{FigureKind::attention, LayerId(0), HeadId(0), {0, size}, {0, size}, {}, {}};
  for (int i = 0; i < size * size; ++i) map.values.push_back(static_cast<float>(i) * 1e-3F);
  map.visible.assign(map.values.size(), 1);
  const FigureData figure{FigureKind::attention, std::move(map), {}, {}, {}};
  const json parsed = json::parse(json_text(figure));
  REQUIRE(parsed["values"].size() == 700);
  CHECK(parsed["values"][699][699].get<float>() == static_cast<float>(size * size - 1) * 1e-3F);
  const test::TemporaryFolder folder;
  REQUIRE(write_figure_data(folder / "m.csv", figure));
  CHECK(test::read_bytes(folder / "m.csv") == csv_text(figure));
}

TEST_CASE("provenance lies beside npy and csv, inside json") {
  const test::TemporaryFolder folder;
  for (const char* name : {"a.npy", "b.CSV", "c.json"}) REQUIRE(write_figure_data(folder / name, small_map()));
  CHECK(folder.names() == std::vector<std::string>{"a.npy", "a.npy.json", "b.CSV", "b.CSV.json", "c.json"});
  const json beside = json::parse(test::read_bytes(folder / "a.npy.json"));
  CHECK(beside["format"] == "natscope-trace");
  CHECK(beside["maps"] == "1.3");
  CHECK(beside["seed"] == "18446744073709551615");
}

TEST_CASE("a file says which figure it is, and how its numbers were prepared") {
  const Metadata map = figure_metadata(prepared(small_map(), {.normalise = Normalise::row, .hide_sink = true}));
  CHECK(map.at("kind") == "attention");
  CHECK(map.at("layer") == "1");
  CHECK(map.at("head") == "3");
  CHECK(map.at("queries") == "4:6");
  CHECK(map.at("keys") == "2:5");
  CHECK(map.at("normalise") == "row");
  CHECK(map.at("hide_sink") == "true");
  for (const char* of_a_picture : {"scale", "clip", "range"}) CHECK_FALSE(map.contains(of_a_picture));
  const ScaleRange range{1e-4, 0.5, ScaleKind::log};
  const Metadata drawn = scale_metadata(FigureKind::overview, {.clip_percentile = 99.5}, &range);
  CHECK(drawn.at("scale") == "log");
  CHECK(drawn.at("clip") == "99.5");
  CHECK(drawn.at("range") == "1e-04:0.5");
  CHECK_FALSE(drawn.contains("normalise"));
  CHECK(figure_metadata(roles_figure(test::recorded_run(), test::run_provenance())).at("role_key") ==
        "0 global, 1 local, 2 sliding");
  CHECK_FALSE(map.contains("role_key"));
  const Metadata curve = figure_metadata(prepared(kv_figure(test::recorded_run(), {}), {}));
  CHECK(curve.at("kind") == "kv");
  for (const char* none : {"layer", "queries", "normalise", "hide_sink"}) CHECK_FALSE(curve.contains(none));
}

TEST_CASE("formats by their endings, and targets that cannot be") {
  CHECK(*export_format("x.PNG") == ExportFormat::png);
  CHECK(*export_format("dir.csv/x.json") == ExportFormat::json);
  for (const char* bad : {"x", "x.txt", ".npy", "x.npy.gz", ""}) {
    CAPTURE(bad);
    const auto format = export_format(bad);
    REQUIRE_FALSE(format);
    CHECK(format.error().code == ErrorCode::usage);
  }
  CHECK(export_format("x.csv/").error().code == ErrorCode::not_a_regular_file);
  const test::TemporaryFolder folder;
  CHECK(write_figure_data(folder / "x.png", small_map()).error().code == ErrorCode::usage);
  const auto nowhere = write_figure_data(folder / "none" / "x.npy", small_map());
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == ErrorCode::file_not_found);
  CHECK(folder.names().empty());
}

}  // namespace
}  // namespace natscope
