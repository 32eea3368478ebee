// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/head_table.h"

#include <array>
#include <cmath>
#include <numeric>

#include "core/cache/policy.h"
#include "core/export/number_text.h"

namespace natscope {
namespace {

bool always(const HeadSummary& head) { return head.tokens >= 0; }
bool has_locals(const HeadSummary& head) { return head.role_share(Role::local) > 0; }

template <Role role>
double share_of(const HeadSummary& head) {
  return head.role_share(role);
}

constexpr std::array columns{
    HeadColumn{"layer", "Layer", "Counted from 0.", HeadUnit::number, false,
               [](const HeadSummary& head) { return static_cast<double>(head.layer.value); }, always},
    HeadColumn{"kv_head", "KV head", "Counted from 0 in its layer.", HeadUnit::number, false,
               [](const HeadSummary& head) { return static_cast<double>(head.kv_head.value); }, always},
    HeadColumn{"global_share", "Global", "Share of all tokens that this head keeps for ever.", HeadUnit::share, true,
               share_of<Role::global>, always},
    HeadColumn{"local_share", "Local", "Share of all tokens that this head keeps until its next Global.",
               HeadUnit::share, true, share_of<Role::local>, always},
    HeadColumn{"sliding_share", "Sliding", "Share of all tokens that this head keeps for a window.", HeadUnit::share,
               true, share_of<Role::sliding>, always},
    HeadColumn{"entries", "Entries", "Entries that the head holds after the last token.", HeadUnit::number, false,
               [](const HeadSummary& head) { return static_cast<double>(head.entries); }, always},
    HeadColumn{"kv_fraction", "KV fraction", "Entries held, as a share of what full attention would hold.",
               HeadUnit::share, false, [](const HeadSummary& head) { return head.kv_fraction(); }, always},
    HeadColumn{"mean_local_life", "Life of Locals",
               "Mean number of later tokens that a Local could be seen by. One that is still held counts with its age "
               "so far: then the mean is a lower bound.",
               HeadUnit::tokens, true, [](const HeadSummary& head) { return head.mean_local_life(); }, has_locals},
    HeadColumn{"locals_held", "Locals held", "Locals that no Global has ended yet.", HeadUnit::number, true,
               [](const HeadSummary& head) { return static_cast<double>(head.locals_held); }, always},
    // On screen it is a sign in front of the life.
    HeadColumn{"local_life_is_cut", "Life is cut",
               "1 where the text ended before some Local did: mean_local_life is then a lower bound.", HeadUnit::number,
               true, [](const HeadSummary& head) { return head.locals_held > 0 ? 1.0 : 0.0; }, has_locals},
};

}  // namespace

HeadTable head_table(const SequenceRecord& record, const std::string& policy) {
  return {head_summaries(record), has_roles(policy)};
}

std::span<const HeadColumn> head_columns() { return columns; }
std::span<const HeadColumn> shown_head_columns() { return head_columns().first(columns.size() - 1); }

std::optional<double> head_value(const HeadTable& table, const HeadSummary& head, const HeadColumn& column) {
  if ((column.needs_roles && !table.has_roles) || !column.is_known(head)) return std::nullopt;
  return column.value(head);
}

std::string head_table_text(const HeadTable& table, std::span<const std::size_t> rows, char separator) {
  std::string text;
  const auto end_field = [&text, separator](const HeadColumn& column) {
    text += &column == &columns.back() ? '\n' : separator;
  };
  for (const HeadColumn& column : columns) {
    text += column.key;
    end_field(column);
  }
  for (const std::size_t row : rows) {
    if (row >= table.heads.size()) continue;
    for (const HeadColumn& column : columns) {
      if (const auto value = head_value(table, table.heads[row], column)) append_number(text, *value);
      end_field(column);
    }
  }
  return text;
}

std::string head_table_text(const HeadTable& table, char separator) {
  std::vector<std::size_t> rows(table.heads.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return head_table_text(table, rows, separator);
}

}  // namespace natscope
