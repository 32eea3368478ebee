// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// Tables of figures: of heads, of the vocabulary, of runs. Columns have one order and one name wherever they are shown
/// or written.
namespace natscope {

/// `text` is a token's, `name` anything else that is written.
enum class TableUnit : std::uint8_t { number, share, tokens, nats, perplexity, ratio, text, name };

struct TableColumn {
  const char* key;    ///< in files: "kv_fraction"
  const char* title;  ///< for people: "KV fraction"
  const char* help;   ///< one sentence
  TableUnit unit;
  bool is_shown = true;  ///< by a table on screen; files have all
};

struct TableCell {
  std::variant<std::monostate, double, std::string> value;  ///< nothing where there is nothing to say
  bool is_lower_bound = false;

  [[nodiscard]] const double* number() const { return std::get_if<double>(&value); }
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value); }

  friend bool operator==(const TableCell&, const TableCell&) = default;
};

struct FigureTable {
  std::span<const TableColumn> columns;  ///< that live for ever
  std::vector<TableCell> cells{};        ///< [rows, columns]
  std::size_t key_columns = 1;           ///< the first ones, which tell rows apart

  [[nodiscard]] std::size_t rows() const { return columns.empty() ? 0 : cells.size() / columns.size(); }
  [[nodiscard]] const TableCell& at(std::size_t row, std::size_t column) const {
    return cells[row * columns.size() + column];
  }
  /// The next cell, with nothing in it where the number is not known.
  void add(std::optional<double> number, bool is_lower_bound = false);
  void add(std::string text) { cells.push_back({std::move(text)}); }
  /// Of the column with this key; columns.size() where there is none.
  [[nodiscard]] std::size_t column_at(const char* key) const;
};

/// Rows as text: a header of keys, then a line a row, fields between `separator`; shares as 0 … 1 with the shortest
/// digits that read back to the same number, nothing where a cell has nothing. Between commas texts stand in quotes
/// (RFC 4180); between tabs their own tabs and line breaks become blanks.
///   rows  those that the table does not have are left out
[[nodiscard]] std::string table_text(const FigureTable& table, std::span<const std::size_t> rows, char separator);
/// All rows.
[[nodiscard]] std::string table_text(const FigureTable& table, char separator);

/// As RFC 4180 wants a field: in quotes, those inside twice.
[[nodiscard]] std::string quoted_field(const std::string& text);

}  // namespace natscope
