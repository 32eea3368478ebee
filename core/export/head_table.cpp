// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/head_table.h"

#include <array>
#include <optional>

#include "core/cache/policy.h"

namespace natscope {
namespace {

constexpr std::array columns{
    TableColumn{"layer", "Layer", "Counted from 0.", TableUnit::number},
    TableColumn{"kv_head", "KV head", "Counted from 0 in its layer.", TableUnit::number},
    TableColumn{"global_share", "Global", "Share of all tokens that this head keeps for ever.", TableUnit::share},
    TableColumn{"local_share", "Local", "Share of all tokens that this head keeps until its next Global.",
                TableUnit::share},
    TableColumn{"sliding_share", "Sliding", "Share of all tokens that this head keeps for a window.", TableUnit::share},
    TableColumn{"entries", "Entries", "Entries that the head holds after the last token.", TableUnit::number},
    TableColumn{"kv_fraction", "KV fraction", "Entries held, as a share of what full attention would hold.",
                TableUnit::share},
    TableColumn{"mean_local_life", "Life of Locals",
                "Mean number of later tokens that a Local could be seen by. One that is still held counts with its age "
                "so far: then the mean is a lower bound.",
                TableUnit::tokens},
    TableColumn{"locals_held", "Locals held", "Locals that no Global has ended yet.", TableUnit::number},
    // On screen it is a sign in front of the life.
    TableColumn{"local_life_is_cut", "Life is cut",
                "1 where the text ended before some Local did: mean_local_life is then a lower bound.",
                TableUnit::number, false},
};

}  // namespace

FigureTable head_table(std::span<const HeadSummary> heads, const std::string& policy) {
  FigureTable table{columns, {}, 2};
  table.cells.reserve(heads.size() * columns.size());
  const bool knows_roles = has_roles(policy);
  const auto if_known = [](bool is_known, double value) { return is_known ? std::optional(value) : std::nullopt; };
  for (const HeadSummary& head : heads) {
    const bool has_locals = knows_roles && head.role_share(Role::local) > 0;
    const bool is_cut = head.locals_held > 0;
    table.add(head.layer.value);
    table.add(head.kv_head.value);
    for (const Role role : {Role::global, Role::local, Role::sliding})
      table.add(if_known(knows_roles, head.role_share(role)));
    table.add(static_cast<double>(head.entries));
    table.add(head.kv_fraction());
    table.add(if_known(has_locals, head.mean_local_life()), is_cut);
    table.add(if_known(knows_roles, static_cast<double>(head.locals_held)));
    table.add(if_known(has_locals, is_cut ? 1 : 0));
  }
  return table;
}

}  // namespace natscope
