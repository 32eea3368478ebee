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
                TableUnit::number, false},
    TableColumn{"distance", "Distance",
                "Mean over queries of Σ w · (query − key): how many tokens back their weights lie.", TableUnit::tokens},
    TableColumn{"lost", "Lost",
                "Mean share of a query's weight that lies on what the compared run had dropped by then: 1 less its "
                "attention recall, where this run has full attention.",
                TableUnit::share},
    TableColumn{"compared_queries", "Compared queries",
                "How many of them the compared run read, too: lost is of these.", TableUnit::number, false},
};
constexpr std::size_t of_compared = 2;  // of them, the last ones

}  // namespace

FigureTable attention_table(std::span<const HeadAttention> heads, bool is_compared) {
  FigureTable table{std::span(columns).first(columns.size() - (is_compared ? 0 : of_compared)), {}, 2};
  for (const HeadAttention& head : heads) {
    // A file's weights may be any numbers, and e to them none.
    const auto known = [&](double value) {
      return head.means && std::isfinite(value) ? std::optional(value) : std::nullopt;
    };
    const AttentionSummary means = head.means.value_or(AttentionSummary{});
    table.add(head.layer.value);
    table.add(head.head.value);
    table.add(head.kv_head.value);
    table.add(known(means.entropy));
    table.add(known(std::exp(means.entropy)));
    table.add(known(means.sink_weight));
    table.add(known(means.self_weight));
    table.add(known(static_cast<double>(means.queries)));
    table.add(known(means.distance));
    if (!is_compared) continue;
    table.add(means.compared_queries > 0 ? known(means.lost) : std::nullopt);
    table.add(known(static_cast<double>(means.compared_queries)));
  }
  return table;
}

FigureTable attention_table(const HeadOverview& maps, bool is_compared) {
  std::vector<HeadAttention> heads;
  for (std::size_t row = 0; row < maps.layers.size(); ++row) {
    for (HeadId head(0); head.value < maps.heads; ++head.value) {
      const std::size_t map = maps.index(row, head);
      if (maps.has_map[map] == 0) continue;
      heads.push_back({maps.layers[row], head, kv_head_of(head, maps.heads, maps.kv_heads), maps.summaries[map]});
    }
  }
  return attention_table(heads, is_compared);
}

Expected<FigureData> statistics_figure(FigureData overview, const Provenance* other) {
  const auto* const maps = std::get_if<HeadOverview>(&overview.values);
  if (maps == nullptr) return fail(ErrorCode::internal, "statistics are made of an overview");
  FigureTable table = attention_table(*maps, other != nullptr);
  overview.kind = FigureKind::statistics;
  overview.values = std::move(table);
  if (other != nullptr) overview.compared.push_back({{}, *other});
  return overview;
}

}  // namespace natscope
