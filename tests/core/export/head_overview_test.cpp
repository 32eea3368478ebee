// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/head_overview.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "core/export/data_files.h"
#include "core/export/figure_request.h"
#include "core/export/scale.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

AttentionTile tile_of_all(LayerId layer, HeadId head, std::int64_t tokens) {
  AttentionTile tile;
  tile.key = overview_tile(layer, head, tokens);
  tile.tokens = tokens;
  tile.rows = tile.columns = static_cast<std::int32_t>((tokens - 1) / (1 << tile.key.zoom) + 1);
  for (std::int32_t cell = 0; cell < tile.rows * tile.columns; ++cell) {
    const bool is_seen = cell % tile.columns <= cell / tile.columns && cell % 5 != 1;
    tile.visible_share.push_back(is_seen ? 0.5F : 0.0F);
    tile.maximum.push_back(is_seen ? static_cast<float>(layer.value * 100 + head.value * 10 + cell % 7) : 0.0F);
  }
  return tile;
}

TEST_CASE("one tile covers a whole map at the overview's zoom, and not one zoom before") {
  for (const std::int64_t tokens : {1, 2, 255, 256, 257, 512, 513, 1024, 1025, 32768}) {
    CAPTURE(tokens);
    const int zoom = overview_zoom(tokens);
    CHECK((std::int64_t{tile_cells} << zoom) >= tokens);
    if (zoom > 0) CHECK((std::int64_t{tile_cells} << (zoom - 1)) < tokens);
  }
}

TEST_CASE("no value is lost where cells are put together") {
  std::mt19937 random(5);
  for (const std::int32_t side : {1, 2, 3, 31, 32, 33, 97}) {
    std::vector<float> cells(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
    for (float& cell : cells) cell = static_cast<float>(random() % 1000) - 1;
    for (const std::int32_t pixels : {1, 2, 7, 31, 32, 33, 97, 200}) {
      CAPTURE(side);
      CAPTURE(pixels);
      const auto drawn = largest_cells(std::span<const float>(cells), side, pixels);
      if (pixels >= side) {
        CHECK(drawn == cells);
        continue;
      }
      REQUIRE(drawn.size() == static_cast<std::size_t>(pixels) * static_cast<std::size_t>(pixels));
      for (std::int32_t y = 0; y < pixels; ++y) {
        for (std::int32_t x = 0; x < pixels; ++x) {
          // A pixel covers the cells between x · side / pixels and (x + 1) · side / pixels, in part or whole.
          float largest = -2;
          for (std::int32_t row = 0; row < side; ++row) {
            for (std::int32_t column = 0; column < side; ++column) {
              const auto touches = [&](std::int32_t cell, std::int32_t pixel) {
                return cell * pixels < (pixel + 1) * side && (cell + 1) * pixels > pixel * side;
              };
              if (touches(row, y) && touches(column, x))
                largest = std::max(largest, cells[static_cast<std::size_t>(row * side + column)]);
            }
          }
          if (drawn[static_cast<std::size_t>(y * pixels + x)] != largest) FAIL("pixel " << y << ", " << x);
        }
      }
    }
  }
}

TEST_CASE("maps stand in their places, and those of another text are refused") {
  auto overview = empty_overview({LayerId(1), LayerId(3)}, 2, 1, 300);
  REQUIRE(overview);
  CHECK(overview->zoom == 1);
  CHECK(overview->side == 150);
  CHECK(std::isnan(overview->largest[0]));
  const AttentionTile tile = tile_of_all(LayerId(3), HeadId(1), 300);
  REQUIRE(put(*overview, tile));
  const std::size_t begin = 3 * overview->cells();
  CHECK(std::equal(tile.maximum.begin(), tile.maximum.end(),
                   overview->largest.begin() + static_cast<std::ptrdiff_t>(begin)));
  CHECK(overview->has_map == std::vector<std::uint8_t>{0, 0, 0, 1});
  CHECK(std::isnan(overview->largest[begin - 1]));

  const auto code = [&](const AttentionTile& other) {
    const auto result = put(*overview, other);
    return result ? ErrorCode::internal : result.error().code;
  };
  CHECK(code(tile_of_all(LayerId(3), HeadId(1), 299)) == ErrorCode::bad_range);  // as many cells
  CHECK(code(tile_of_all(LayerId(3), HeadId(1), 301)) == ErrorCode::bad_range);
  CHECK(code(tile_of_all(LayerId(2), HeadId(1), 300)) == ErrorCode::bad_range);
  CHECK(code(tile_of_all(LayerId(3), HeadId(2), 300)) == ErrorCode::bad_range);
  AttentionTile beside = tile;
  beside.key.column = 1;
  CHECK(code(beside) == ErrorCode::bad_range);

  CHECK_FALSE(empty_overview({}, 2, 1, 10));
  CHECK_FALSE(empty_overview({LayerId(0)}, 2, 1, 0));
  CHECK_FALSE(empty_overview(std::vector<LayerId>(128, LayerId(0)), 128, 1, 1024));  // 4 GiB
  CHECK(overview_layers(LayerId(2), 3) == std::vector<LayerId>{LayerId(2)});
  CHECK(overview_layers({}, 2) == std::vector<LayerId>{LayerId(0), LayerId(1)});
  CHECK(overview_layers(LayerId(3), 3).error().code == ErrorCode::bad_layer);
}

TEST_CASE("a hidden sink takes the first column of cells, of maps that are there") {
  auto overview = empty_overview({LayerId(0)}, 2, 2, 5);
  REQUIRE(overview);
  REQUIRE(put(*overview, tile_of_all(LayerId(0), HeadId(1), 5)));
  const HeadOverview hidden = prepared(*overview, {.hide_sink = true});
  for (std::size_t cell = 25; cell < 50; ++cell) {
    CHECK(hidden.visible[cell] == (cell % 5 == 0 ? 0 : overview->visible[cell]));
    CHECK(hidden.largest[cell] == (cell % 5 == 0 ? 0 : overview->largest[cell]));
  }
  CHECK(std::isnan(hidden.largest[0]));
  const Heatmap small = thumbnail(hidden, 0, HeadId(1), 3);
  CHECK(small.values.size() == 9);
  CHECK(small.visible[2] == 0);  // in the future
  CHECK(small.values[2] == 0);
}

TEST_CASE("a trace's overview: recorded maps cell by cell, the others NaN, null and not in the list") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::recorded_run();
  REQUIRE(write_trace(folder / "t", test::run_trace(record)));
  const auto trace = TraceFile::open(folder / "t");
  REQUIRE(trace);
  const auto figure = figure_of_trace({.kind = FigureKind::overview}, *trace);
  REQUIRE_MESSAGE(figure, figure.error().message);
  const auto& overview = std::get<HeadOverview>(figure->values);
  CHECK(overview.has_map == std::vector<std::uint8_t>{0, 1, 0, 0, 0, 0, 0, 1});
  CHECK(overview.side == 7);
  CHECK(figure->provenance.maps == std::vector<MapId>{{LayerId(0), HeadId(1)}, {LayerId(1), HeadId(3)}});
  for (const std::size_t map : {std::size_t{1}, std::size_t{7}}) {
    const MapId id{LayerId(static_cast<std::int32_t>(map / 4)), HeadId(static_cast<std::int32_t>(map % 4))};
    const auto whole = figure_of_trace({FigureKind::attention, id, {0, 7}, {0, 7}}, *trace);
    REQUIRE(whole);
    const auto& values = std::get<Heatmap>(whole->values);
    for (std::size_t cell = 0; cell < 49; ++cell) {
      CHECK(overview.largest[map * 49 + cell] == values.values[cell]);
      CHECK(overview.visible[map * 49 + cell] == values.visible[cell]);
    }
  }
  const auto json = nlohmann::json::parse(json_text(*figure));
  CHECK(json["values"][0][0][3][2].is_null());
  CHECK(json["values"][1][3].size() == 7);
  CHECK(json["queries"] == nlohmann::json{0, 1, 2, 3, 4, 5, 6});
  CHECK(json["layer"].is_null());
  CHECK(json["provenance"]["cell_tokens"] == "1");
  CHECK(json["provenance"]["layers"] == "0,1");
  CHECK(npy_bytes(*figure).find("'shape': (2, 4, 7, 7)") != std::string::npos);

  CHECK(figure_of_trace({.kind = FigureKind::overview, .layer = LayerId(2)}, *trace).error().code ==
        ErrorCode::bad_layer);
  const auto one = figure_of_trace({.kind = FigureKind::overview, .layer = LayerId(1)}, *trace);
  REQUIRE(one);
  CHECK(nlohmann::json::parse(json_text(*one))["layer"] == 1);
  TraceContent none = test::run_trace(record);
  none.provenance.maps.clear();
  REQUIRE(write_trace(folder / "none", none));
  const auto without = TraceFile::open(folder / "none");
  REQUIRE(without);
  CHECK(figure_of_trace({.kind = FigureKind::overview}, *without).error().code == ErrorCode::bad_trace);
}

TEST_CASE("no table is made of maps") {
  CHECK(check_format(FigureKind::overview, ExportFormat::csv).error().code == ErrorCode::usage);
  for (const ExportFormat format : {ExportFormat::npy, ExportFormat::json, ExportFormat::png, ExportFormat::pdf})
    CHECK(check_format(FigureKind::overview, format));
  const test::TemporaryFolder folder;
  auto overview = empty_overview({LayerId(0)}, 1, 1, 3);
  REQUIRE(overview);
  const auto written = write_figure_data(folder / "maps.csv", overview_figure(*std::move(overview), {}));
  REQUIRE_FALSE(written);
  CHECK(written.error().code == ErrorCode::usage);
  CHECK_FALSE(std::filesystem::exists(folder / "maps.csv"));
}

}  // namespace
}  // namespace natscope
