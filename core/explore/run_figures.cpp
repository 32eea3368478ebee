// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/run_figures.h"

#include <algorithm>
#include <cmath>

namespace natscope {

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

std::optional<double> token_loss(const TokenFrame& frame) {
  const auto probability = static_cast<double>(frame.probability);
  if (frame.position.value == 0 || !(probability > 0)) return std::nullopt;
  return -std::log(std::min(probability, 1.0));
}

std::optional<double> prompt_perplexity(const SequenceRecord& record, std::int64_t prompt_tokens) {
  const std::int64_t end = std::min(prompt_tokens, record.size());
  if (end < 2) return std::nullopt;
  double nll = 0;
  for (std::int64_t n = 1; n < end; ++n) {
    const auto loss = token_loss(record.frame(TokenPos(static_cast<std::int32_t>(n))));
    if (!loss) return std::nullopt;
    nll += *loss;
  }
  return std::exp(nll / static_cast<double>(end - 1));
}

bool drops_after_reading(const SequenceRecord& record, std::int64_t tokens) {
  const std::int64_t end = std::min(tokens, record.size());
  const CacheGeometry& geometry = record.geometry();
  const auto has_dropped = [&](std::int64_t n) {  // nothing that went comes back
    const std::int64_t all = (n + 1) * geometry.layers * geometry.kv_heads;
    return record.frame(TokenPos(static_cast<std::int32_t>(n))).counts.entries < all;
  };
  return end > 0 && has_dropped(end - 1) && (end == 1 || !has_dropped(end - 2));
}

RunOutcome run_outcome(const SequenceRecord& record, std::int64_t tokens) {
  RunOutcome outcome{.figures = run_figures(record, tokens)};
  const CacheGeometry& geometry = record.geometry();
  const double heads = static_cast<double>(geometry.layers) * geometry.kv_heads;
  double held = 0;
  double dense = 0;
  for (std::int64_t n = 0; n < outcome.figures.tokens; ++n) {
    const auto entries = static_cast<double>(record.frame(TokenPos(static_cast<std::int32_t>(n))).counts.entries);
    held += entries;
    dense += static_cast<double>(n + 1) * heads;
  }
  if (dense > 0) outcome.mean_fraction = held / dense;
  outcome.perplexity = prompt_perplexity(record, outcome.figures.tokens);
  outcome.drops_after_reading = drops_after_reading(record, outcome.figures.tokens);
  return outcome;
}

std::int64_t common_beginning(const SequenceRecord& a, const SequenceRecord& b, std::int64_t known) {
  const std::int64_t most = std::min(a.size(), b.size());
  std::int64_t common = std::min(known, most);
  const auto is_same = [&](std::int64_t n) {
    const TokenPos position(static_cast<std::int32_t>(n));
    return a.frame(position).token == b.frame(position).token && a.frame(position).text == b.frame(position).text;
  };
  while (common < most && is_same(common)) ++common;
  return common;
}

std::span<const std::int32_t> schedule_of(const SequenceRecord& run, std::int32_t heads, LayerId layer, HeadId head,
                                          std::int64_t tokens) {
  const auto all = run.last_query(layer, kv_head_of(head, heads, run.geometry().kv_heads));
  return all.first(static_cast<std::size_t>(std::clamp<std::int64_t>(tokens, 0, std::ssize(all))));
}

bool have_same_beginning(const SequenceRecord& a, const SequenceRecord& b, std::int64_t tokens) {
  if (tokens > a.size() || tokens > b.size()) return false;
  return std::equal(a.frames().begin(), a.frames().begin() + tokens, b.frames().begin(),
                    [](const TokenFrame& one, const TokenFrame& other) { return one.token == other.token; });
}

HeldBy held_by(const SequenceRecord& first, const SequenceRecord& second, LayerId layer, KvHeadId kv_head,
               TokenPos position, std::int64_t tokens) {
  const auto n = static_cast<std::size_t>(position.value);
  // Held after token T − 1 is what query T could still see.
  const bool in_first = first.last_query(layer, kv_head)[n] >= tokens;
  const bool in_second = second.last_query(layer, kv_head)[n] >= tokens;
  if (in_first && in_second) return HeldBy::both;
  if (in_first) return HeldBy::first;
  return in_second ? HeldBy::second : HeldBy::neither;
}

std::optional<HeldDifference> held_difference(const SequenceRecord& first, const SequenceRecord& second) {
  const CacheGeometry& geometry = first.geometry();
  if (geometry.layers != second.geometry().layers || geometry.kv_heads != second.geometry().kv_heads)
    return std::nullopt;
  HeldDifference difference;
  difference.tokens = common_beginning(first, second);
  for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < geometry.kv_heads; ++kv_head) {
      const auto of_first = first.last_query(LayerId(layer), KvHeadId(kv_head));
      const auto of_second = second.last_query(LayerId(layer), KvHeadId(kv_head));
      // As held_by, without a branch: several at once, for a window that counts millions of entries.
      const auto tokens = static_cast<std::int32_t>(difference.tokens);
      std::int32_t both = 0;
      std::int32_t in_first = 0;
      std::int32_t in_second = 0;
      for (std::size_t n = 0; n < static_cast<std::size_t>(tokens); ++n) {
        both += std::min(of_first[n], of_second[n]) >= tokens ? 1 : 0;
        in_first += of_first[n] >= tokens ? 1 : 0;
        in_second += of_second[n] >= tokens ? 1 : 0;
      }
      difference.both += both;
      difference.first += in_first - both;
      difference.second += in_second - both;
    }
  }
  return difference;
}

}  // namespace natscope
