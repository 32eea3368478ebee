// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/export/data_files.h"
#include "core/export/figure_request.h"
#include "core/export/figures.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

constexpr std::int64_t window = 2;  // the made-up run's

/// Section 5 of the rules, word for word.
bool is_held(std::span<const Role> roles, std::int64_t n) {
  const auto last = static_cast<std::int64_t>(roles.size()) - 1;
  const Role role = roles[static_cast<std::size_t>(n)];
  if (role == Role::global) return true;
  if (role == Role::sliding) return n + window >= last + 1;
  for (std::int64_t j = n + 1; j <= last; ++j) {
    if (roles[static_cast<std::size_t>(j)] == Role::global) return false;
  }
  return true;
}

TEST_CASE("a text tells each token's role, whether its head holds it, and how many heads do") {
  const SequenceRecord record = test::recorded_run();
  for (std::int32_t layer = 0; layer < 2; ++layer) {
    for (std::int32_t head = 0; head < test::run_heads; ++head) {
      CAPTURE(layer);
      CAPTURE(head);
      const auto figure =
          text_figure(record, test::run_heads, MapId{LayerId(layer), HeadId(head)}, {1, 6}, test::run_provenance());
      REQUIRE(figure);
      const auto& text = std::get<ColouredText>(figure->values);
      const auto roles = record.roles(LayerId(layer), KvHeadId(head / 2));
      REQUIRE(text.roles.size() == 5);
      REQUIRE(text.is_held.size() == 5);
      REQUIRE(text.held_share.size() == 5);
      for (std::int64_t n = 1; n < 6; ++n) {
        const auto at = static_cast<std::size_t>(n - 1);
        CHECK(text.roles[at] == roles[static_cast<std::size_t>(n)]);
        CHECK((text.is_held[at] != 0) == is_held(roles, n));
        int holders = 0;
        for (std::int32_t any = 0; any < 2; ++any) {
          for (std::int32_t kv_head = 0; kv_head < 2; ++kv_head)
            holders += is_held(record.roles(LayerId(any), KvHeadId(kv_head)), n) ? 1 : 0;
        }
        CHECK(text.held_share[at] == doctest::Approx(holders / 4.0));
      }
    }
  }
  const auto of_all = text_figure(record, test::run_heads, {}, {0, 7}, test::run_provenance());
  REQUIRE(of_all);
  CHECK(std::get<ColouredText>(of_all->values).roles.empty());
  CHECK(std::get<ColouredText>(of_all->values).is_held.empty());
  CHECK(std::get<ColouredText>(of_all->values).held_share.size() == 7);
}

TEST_CASE("H2O has no roles to tell") {
  Provenance h2o = test::run_provenance();
  h2o.policy = "h2o:2,2";
  const auto figure = text_figure(test::recorded_run(), test::run_heads, MapId{LayerId(0), HeadId(0)}, {0, 7}, h2o);
  REQUIRE(figure);
  CHECK(std::get<ColouredText>(figure->values).roles.empty());
  CHECK(std::get<ColouredText>(figure->values).is_held.size() == 7);
}

TEST_CASE("a text needs a head and positions that are there") {
  const SequenceRecord record = test::recorded_run();
  const auto code = [&](std::optional<MapId> head, PositionRange range) {
    const auto result = text_figure(record, test::run_heads, head, range, {});
    return result ? ErrorCode::internal : result.error().code;
  };
  CHECK(code(MapId{LayerId(2), HeadId(0)}, {0, 7}) == ErrorCode::bad_layer);
  CHECK(code(MapId{LayerId(0), HeadId(4)}, {0, 7}) == ErrorCode::bad_head);
  CHECK(code({}, {0, 8}) == ErrorCode::bad_position);
  CHECK(code({}, {-1, 3}) == ErrorCode::bad_position);
}

TEST_CASE("the text of a trace is its record's, in words") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::consistent_run();
  REQUIRE(write_trace(folder / "t", test::run_trace(record)));
  const auto trace = TraceFile::open(folder / "t");
  REQUIRE(trace);
  const MapId head{LayerId(1), HeadId(2)};
  const auto from_trace = figure_of_trace({FigureKind::text, head, {}, {0, 7}}, *trace);
  REQUIRE_MESSAGE(from_trace, from_trace.error().message);
  const auto from_record = text_figure(record, test::run_heads, head, {0, 7}, test::run_provenance());
  REQUIRE(from_record);
  const auto& read = std::get<ColouredText>(from_trace->values);
  const auto& made = std::get<ColouredText>(from_record->values);
  CHECK(read.roles == made.roles);
  CHECK(read.is_held == made.is_held);
  CHECK(read.held_share == made.held_share);
  CHECK(from_trace->tokens == from_record->tokens);
  CHECK(from_trace->token_texts[2] == " wörd");
  const auto by_keys = figure_of_trace({FigureKind::text, head, {}, {2, 5}}, *trace);
  REQUIRE(by_keys);
  CHECK(std::get<ColouredText>(by_keys->values).range == PositionRange{2, 5});
}

TEST_CASE("the text of a trace under H2O says what was dropped") {
  const test::TemporaryFolder folder;
  const SequenceRecord record = test::h2o_run();
  REQUIRE(write_trace(folder / "t", test::h2o_trace(record)));
  const auto trace = TraceFile::open(folder / "t");
  REQUIRE(trace);
  const auto figure = figure_of_trace({FigureKind::text, {LayerId(0), HeadId(3)}, {}, {0, 7}}, *trace);
  REQUIRE_MESSAGE(figure, figure.error().message);
  const auto& text = std::get<ColouredText>(figure->values);
  CHECK(text.roles.empty());
  CHECK(text.is_held == std::vector<std::uint8_t>{1, 0, 0, 0, 0, 1, 1});
  CHECK(text.held_share == std::vector<float>{0.25F, 0, 0, 0, 0.75F, 1, 1});
}

TEST_CASE("a text's files: quoted where csv must, null where there is nothing to say, no array") {
  FigureData figure{FigureKind::text, {}, {7, 8, 9}, {" say", "\"a,\nb\"", ""}, test::run_provenance()};
  figure.values = ColouredText{
      MapId{LayerId(1), HeadId(3)}, {0, 3}, {Role::global, Role::local, Role::sliding}, {1, 0, 1}, {1, 0.25F, 0.5F}};
  CHECK(csv_text(figure) ==
        "position,token,text,role,held,held_share\n"
        "0,7,\" say\",0,1,1\n"
        "1,8,\"\"\"a,\nb\"\"\",1,0,0.25\n"
        "2,9,\"\",2,1,0.5\n");
  const auto json = nlohmann::json::parse(json_text(figure));
  CHECK(json["kind"] == "text");
  CHECK(json["layer"] == 1);
  CHECK(json["head"] == 3);
  CHECK(json["queries"].is_null());
  CHECK(json["keys"] == nlohmann::json{0, 1, 2});
  CHECK(json["values"][1] ==
        nlohmann::json{{"token", 8}, {"text", "\"a,\nb\""}, {"role", 1}, {"held", false}, {"held_share", 0.25}});
  figure.values = ColouredText{{}, {1, 3}, {}, {}, {0.25F, 0.5F}};
  CHECK(csv_text(figure) == "position,token,text,held_share\n1,8,\"\"\"a,\nb\"\"\",0.25\n2,9,\"\",0.5\n");
  const auto of_all = nlohmann::json::parse(json_text(figure));
  CHECK(of_all["layer"].is_null());
  CHECK(of_all["values"][0]["role"].is_null());
  CHECK(of_all["values"][0]["held"].is_null());
  CHECK(check_format(FigureKind::text, ExportFormat::npy).error().code == ErrorCode::usage);
}

}  // namespace
}  // namespace natscope
