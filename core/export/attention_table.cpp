// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/attention_table.h"

#include <array>
#include <cmath>
#include <utility>

#include "core/export/figure_data.h"

namespace natscope {
namespace {

constexpr std::array columns{
    TableColumn{"layer", "Layer", "Counted from 0.", TableUnit::number},
    TableColumn{"head", "Head", "Query head, counted from 0 in its layer.", TableUnit::number},
    TableColumn{"kv_head", "KV head", "Whose keys it reads.", TableUnit::number},
    TableColumn{"entropy", "Entropy", "Mean over queries of −Σ w ln w of their weights, in nats.", TableUnit::nats},
    TableColumn{"attended_keys", "Attended keys", "e to the mean entropy: so many keys of equal weight have as much.",
                TableUnit::tokens},
    TableColumn{"sink_weight", "First token", "Mean weight that a query puts on position 0, the sink.",
                TableUnit::share},
    TableColumn{"self_weight", "Itself", "Mean weight that a query puts on its own position.", TableUnit::share},
    TableColumn{"queries", "Queries", "How many the means are of: all, or of a long text an even sample.",
                TableUnit::number},
};

}  // namespace

FigureTable attention_table(const HeadOverview& maps) {
  FigureTable table{columns, {}, 2};
  for (std::size_t row = 0; row < maps.layers.size(); ++row) {
    for (std::int32_t head = 0; head < maps.heads; ++head) {
      const std::size_t map = maps.index(row, HeadId(head));
      if (maps.has_map[map] == 0) continue;
      const auto& summary = maps.summaries[map];
      // A file's weights may be any numbers, and e to them none.
      const auto known = [&](double value) {
        return summary && std::isfinite(value) ? std::optional(value) : std::nullopt;
      };
      const AttentionSummary means = summary.value_or(AttentionSummary{});
      table.add(maps.layers[row].value);
      table.add(head);
      table.add(kv_head_of(HeadId(head), maps.heads, maps.kv_heads).value);
      table.add(known(means.entropy));
      table.add(known(std::exp(means.entropy)));
      table.add(known(means.sink_weight));
      table.add(known(means.self_weight));
      table.add(known(static_cast<double>(means.queries)));
    }
  }
  return table;
}

Expected<FigureData> statistics_figure(FigureData overview) {
  const auto* const maps = std::get_if<HeadOverview>(&overview.values);
  if (maps == nullptr) return fail(ErrorCode::internal, "statistics are made of an overview");
  FigureTable table = attention_table(*maps);
  overview.kind = FigureKind::statistics;
  overview.values = std::move(table);
  return overview;
}

}  // namespace natscope
