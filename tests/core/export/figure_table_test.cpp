// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/figure_table.h"

#include <doctest/doctest.h>

#include <array>
#include <limits>

#include "core/export/data_files.h"
#include "core/export/figure_data.h"

namespace natscope {
namespace {

constexpr std::array columns{TableColumn{"id", "Id", "", TableUnit::number},
                             TableColumn{"text", "Text", "", TableUnit::text},
                             TableColumn{"share", "Share", "", TableUnit::share}};

FigureTable some_table() {
  FigureTable table{columns};
  table.add(7);
  table.add("a \"b\",\n\tc");
  table.add(0.1);
  table.add(8);
  table.add("");
  table.add(std::nullopt);
  return table;
}

TEST_CASE("a table as text: quotes between commas, one line a row between tabs") {
  const FigureTable table = some_table();
  REQUIRE(table.rows() == 2);
  CHECK(table.column_at("share") == 2);
  CHECK(table.column_at("none") == 3);
  CHECK(table_text(table, ',') == "id,text,share\n7,\"a \"\"b\"\",\n\tc\",0.1\n8,\"\",\n");
  CHECK(table_text(table, '\t') == "id\ttext\tshare\n7\ta \"b\",  c\t0.1\n8\t\t\n");
  const std::array<std::size_t, 3> rows{1, 0, 2};  // the last one is not there
  CHECK(table_text(table, rows, '\t') == "id\ttext\tshare\n8\t\t\n7\ta \"b\",  c\t0.1\n");
  CHECK(FigureTable{}.rows() == 0);
}

TEST_CASE("a table as json: texts escaped, null for nothing") {
  FigureData figure{FigureKind::vocabulary, {}, {}, {}, {}};
  figure.values = some_table();
  const std::string text = json_text(figure);
  CHECK(text.find(R"("values":[{"id":7,"text":"a \"b\",\n\tc","share":0.1},{"id":8,"text":"","share":null}])") !=
        std::string::npos);
  CHECK(check_format(FigureKind::vocabulary, ExportFormat::npy).error().code == ErrorCode::usage);
  CHECK(check_format(FigureKind::vocabulary, ExportFormat::csv));
}

TEST_CASE("a lower bound belongs to its cell, and nothing is no number") {
  FigureTable table{columns};
  table.add(2.5, true);
  table.add(std::nullopt, true);
  CHECK(table.cells[0].is_lower_bound);
  CHECK(*table.cells[0].number() == 2.5);
  CHECK_FALSE(table.cells[1].is_lower_bound);
  CHECK(table.cells[1].number() == nullptr);
  CHECK(table.cells[1].text() == nullptr);
}

}  // namespace
}  // namespace natscope
