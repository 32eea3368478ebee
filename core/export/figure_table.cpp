// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/figure_table.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/export/number_text.h"

namespace natscope {
namespace {

std::string field(const std::string& text, char separator) {
  if (separator == ',') return quoted_field(text);
  std::string made = text;
  std::replace_if(
      made.begin(), made.end(), [separator](char c) { return c == separator || c == '\n' || c == '\r'; }, ' ');
  return made;
}

}  // namespace

void FigureTable::add(std::optional<double> number, bool is_lower_bound) {
  TableCell& cell = cells.emplace_back();
  if (!number) return;
  cell.value = *number;
  cell.is_lower_bound = is_lower_bound;
}

std::size_t FigureTable::column_at(const char* key) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [key](const TableColumn& column) { return std::strcmp(column.key, key) == 0; });
  return static_cast<std::size_t>(found - columns.begin());
}

std::string quoted_field(const std::string& text) {
  std::string made = "\"";
  for (const char character : text) {
    if (character == '"') made += '"';
    made += character;
  }
  return made + '"';
}

std::string table_text(const FigureTable& table, std::span<const std::size_t> rows, char separator) {
  std::string text;
  const auto end_field = [&](std::size_t column) { text += column + 1 == table.columns.size() ? '\n' : separator; };
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    text += table.columns[column].key;
    end_field(column);
  }
  for (const std::size_t row : rows) {
    if (row >= table.rows()) continue;
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const TableCell& cell = table.at(row, column);
      if (const double* number = cell.number()) append_number(text, *number);
      if (const std::string* words = cell.text()) text += field(*words, separator);
      end_field(column);
    }
  }
  return text;
}

std::string table_text(const FigureTable& table, char separator) {
  std::vector<std::size_t> rows(table.rows());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return table_text(table, rows, separator);
}

}  // namespace natscope
