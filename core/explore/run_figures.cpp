// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/run_figures.h"

#include <algorithm>
#include <cmath>

namespace natscope {
namespace {

/// By the last query that each of two runs lets see an entry. Held after token T − 1 is what query T could still see.
HeldBy held_by(std::int32_t last_of_first, std::int32_t last_of_second, std::int64_t tokens) {
  const bool in_first = last_of_first >= tokens;
  const bool in_second = last_of_second >= tokens;
  if (in_first && in_second) return HeldBy::both;
  if (in_first) return HeldBy::first;
  return in_second ? HeldBy::second : HeldBy::neither;
}

}  // namespace

RunFigures run_figures(const SequenceRecord& record, std::int64_t tokens) {
  RunFigures figures;
  figures.tokens = std::clamp<std::int64_t>(tokens, 0, record.size());
  if (figures.tokens == 0) return figures;
  const CacheCounts& counts = record.frame(TokenPos(static_cast<std::int32_t>(figures.tokens - 1))).counts;
  figures.entries = counts.entries;
  figures.fraction = counts.fraction;
  figures.paper_fraction = counts.paper_fraction;
  return figures;
}

std::optional<double> prompt_perplexity(const SequenceRecord& record, std::int64_t prompt_tokens) {
  const std::int64_t end = std::min(prompt_tokens, record.size());
  if (end < 2) return std::nullopt;
  double nll = 0;
  for (std::int64_t n = 1; n < end; ++n) {
    const auto probability =
        static_cast<double>(record.frame(TokenPos(static_cast<std::int32_t>(n))).probability);
    if (!(probability > 0)) return std::nullopt;
    nll -= std::log(probability);
  }
  return std::exp(nll / static_cast<double>(end - 1));
}

bool have_same_beginning(const SequenceRecord& a, const SequenceRecord& b, std::int64_t tokens) {
  if (tokens > a.size() || tokens > b.size()) return false;
  return std::equal(a.frames().begin(), a.frames().begin() + tokens, b.frames().begin(),
                    [](const TokenFrame& one, const TokenFrame& other) { return one.token == other.token; });
}

HeldBy held_by(const SequenceRecord& first, const SequenceRecord& second, LayerId layer, KvHeadId kv_head,
               TokenPos position, std::int64_t tokens) {
  const auto n = static_cast<std::size_t>(position.value);
  return held_by(first.last_query(layer, kv_head)[n], second.last_query(layer, kv_head)[n], tokens);
}

std::optional<HeldDifference> held_difference(const SequenceRecord& first, const SequenceRecord& second) {
  const CacheGeometry& geometry = first.geometry();
  if (geometry.layers != second.geometry().layers || geometry.kv_heads != second.geometry().kv_heads)
    return std::nullopt;
  HeldDifference difference;
  difference.tokens = std::min(first.size(), second.size());
  for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < geometry.kv_heads; ++kv_head) {
      const auto of_first = first.last_query(LayerId(layer), KvHeadId(kv_head));
      const auto of_second = second.last_query(LayerId(layer), KvHeadId(kv_head));
      for (std::size_t n = 0; n < static_cast<std::size_t>(difference.tokens); ++n) {
        const HeldBy by = held_by(of_first[n], of_second[n], difference.tokens);
        if (by == HeldBy::both) ++difference.both;
        if (by == HeldBy::first) ++difference.first;
        if (by == HeldBy::second) ++difference.second;
      }
    }
  }
  return difference;
}

}  // namespace natscope
