// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/explore/head_summary.h"

/// The table of heads: its columns, in one order and under one name wherever they are shown or written.
namespace natscope {

struct HeadTable {
  std::vector<HeadSummary> heads;
  /// False under H2O, which measures in place of roles: the columns about roles are then empty.
  bool has_roles = true;
};

/// `policy` as parse_policy takes it.
[[nodiscard]] HeadTable head_table(const SequenceRecord& record, const std::string& policy);

enum class HeadUnit : std::uint8_t { number, share, tokens };

struct HeadColumn {
  const char* key;    ///< in files: "kv_fraction"
  const char* title;  ///< for people: "KV fraction"
  const char* help;   ///< one sentence
  HeadUnit unit;
  bool needs_roles;
  double (*value)(const HeadSummary& head);
  bool (*is_known)(const HeadSummary& head);
};

/// layer, kv_head, global_share, local_share, sliding_share, entries, kv_fraction, mean_local_life, locals_held,
/// local_life_is_cut.
[[nodiscard]] std::span<const HeadColumn> head_columns();
/// Those that a table on screen has: all but local_life_is_cut, which is the last one.
[[nodiscard]] std::span<const HeadColumn> shown_head_columns();

/// One cell; nothing where there is nothing to say: roles under H2O, the life of Locals where there are none.
[[nodiscard]] std::optional<double> head_value(const HeadTable& table, const HeadSummary& head,
                                               const HeadColumn& column);

/// Rows as text: a header of keys, then a line a head, fields between `separator`; shares as 0 … 1 with the shortest
/// digits that read back to the same number, nothing where head_value says nothing.
///   rows  indices into table.heads; those that it does not have are left out
[[nodiscard]] std::string head_table_text(const HeadTable& table, std::span<const std::size_t> rows, char separator);
/// All rows.
[[nodiscard]] std::string head_table_text(const HeadTable& table, char separator);

}  // namespace natscope
