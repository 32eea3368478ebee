// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/trace_sequence.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "core/cache/cache_dtype.h"
#include "core/cache/policy.h"
#include "core/session/held_check.h"
#include "core/tokenizer/streaming_decoder.h"

namespace natscope {
namespace {

using session::HeldCheck;

/// By roles; else by what the trace says was dropped.
bool keeps_by_roles(const TraceFile& trace) { return has_roles(trace.provenance().policy); }

/// How each token reads, in order.
std::vector<std::string> texts_of(const TraceFile& trace, const std::vector<std::int32_t>& tokens,
                                  const std::optional<Tokenizer>& tokenizer) {
  if (!trace.token_texts().empty()) return trace.token_texts();
  std::vector<std::string> texts;
  texts.reserve(tokens.size());
  std::optional<StreamingDecoder> decoder;
  if (tokenizer) decoder.emplace(*tokenizer);
  for (const std::int32_t token : tokens)
    texts.push_back(decoder ? decoder->push(token) : "‹" + std::to_string(token) + "› ");
  if (decoder && !texts.empty()) texts.back() += decoder->finish();
  return texts;
}

/// What a method without roles dropped after each step, [T]: as the trace has it, else (of H2O, by an earlier version)
/// as far as recorded maps tell, where the last query that sees a key is the step after which it was gone.
Expected<std::vector<std::vector<EvictedEntry>>> evictions_of(const TraceFile& trace) {
  const std::int64_t length = trace.tokens_count();
  const auto& heads = trace.provenance().heads;
  if (!keeps_by_roles(trace) && trace.has_evicted()) return trace.evicted();
  std::vector<std::vector<EvictedEntry>> evicted(static_cast<std::size_t>(length));
  if (keeps_by_roles(trace) || !heads) return evicted;
  std::set<std::pair<LayerId, KvHeadId>> done;
  std::vector<std::uint8_t> row(static_cast<std::size_t>(length));
  for (std::size_t map = 0; map < trace.provenance().maps.size(); ++map) {
    const MapId& id = trace.provenance().maps[map];
    const KvHeadId kv_head = kv_head_of(id.head, *heads, trace.kv_heads());
    if (!done.emplace(id.layer, kv_head).second) continue;
    std::vector<std::int64_t> last(static_cast<std::size_t>(length));
    for (std::int64_t query = 0; query < length; ++query) {
      NATSCOPE_CHECK(trace.read_map(map, TokenPos(static_cast<std::int32_t>(query)), 1, TokenPos(0), length, {}, row));
      for (std::int64_t n = 0; n <= query; ++n) {
        if (row[static_cast<std::size_t>(n)] != 0) last[static_cast<std::size_t>(n)] = query;
      }
    }
    for (std::int64_t n = 0; n < length; ++n) {
      const std::int64_t step = std::max(n, last[static_cast<std::size_t>(n)]);
      if (step + 1 < length)
        evicted[static_cast<std::size_t>(step)].push_back({id.layer, kv_head, TokenPos(static_cast<std::int32_t>(n))});
    }
  }
  return evicted;
}

Expected<void> check_scores(const std::vector<float>& scores) {
  if (std::ranges::all_of(scores, [](float score) { return std::isfinite(score); })) return {};
  return fail(ErrorCode::bad_trace, "tensor “scores” holds what is no number");
}

/// Whether the paper's figure counts W slots a head whole, as RoleDecider::counts_whole_window() said of the run: of a
/// model with score layers, which has scores or a global_bias. Learned roles that another program wrote down may have
/// neither, but a W of their own.
bool counts_whole_window(const Provenance& provenance, bool has_scores) {
  if (!provenance.window || !has_roles(provenance.policy) || provenance.policy == "full") return false;
  if (has_scores || provenance.global_bias) return true;
  return (provenance.policy.empty() || provenance.policy == "model") && !provenance.by_hand.window;
}

Expected<void> check_window(const Provenance& provenance, const std::vector<Role>& roles) {
  if (provenance.window || std::ranges::find(roles, Role::sliding) == roles.end()) return {};
  return fail(ErrorCode::bad_trace, "the trace has sliding tokens and no window");
}

HeldCheck held_check_of(const TraceFile& trace) {
  const HeldCheck::By by = keeps_by_roles(trace) ? HeldCheck::By::roles
                           : trace.has_evicted() ? HeldCheck::By::dropped
                                                 : HeldCheck::By::nothing;
  const auto heads = static_cast<std::size_t>(trace.layers()) * static_cast<std::size_t>(trace.kv_heads());
  return {by, trace.provenance().window.value_or(0), heads, trace.kv_heads(), ErrorCode::bad_trace};
}

Expected<SequenceRecord> record_of(const TraceFile& trace, const std::optional<Tokenizer>& tokenizer) {
  const Provenance& provenance = trace.provenance();
  const CacheGeometry geometry = geometry_of(trace);
  const auto length = static_cast<std::size_t>(trace.tokens_count());
  const std::size_t heads = static_cast<std::size_t>(geometry.layers) * static_cast<std::size_t>(geometry.kv_heads);
  const std::vector<std::int32_t> tokens = trace.tokens();
  const std::vector<Role> roles = trace.roles();
  const std::vector<std::int32_t> entries = trace.kv_entries();
  const std::vector<std::int64_t> allocated = trace.kv_allocated_bytes();
  const std::vector<float> probability = trace.probability();
  const std::vector<float> scores = trace.scores();
  const std::vector<std::string> texts = texts_of(trace, tokens, tokenizer);
  NATSCOPE_CHECK(check_window(provenance, roles));
  NATSCOPE_CHECK(check_scores(scores));
  NATSCOPE_TRY(auto evicted, evictions_of(trace));

  const bool whole_window = counts_whole_window(provenance, !scores.empty());
  HeldCheck check = held_check_of(trace);
  SequenceRecord record(geometry, !scores.empty(), provenance.window);
  for (std::size_t t = 0; t < length; ++t) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(t));
    frame.token = tokens[t];
    frame.text = texts[t];
    if (!probability.empty()) frame.probability = probability[t];
    frame.generated = trace.prompt_tokens() && static_cast<std::int64_t>(t) >= *trace.prompt_tokens();
    std::int64_t held = 0;
    for (std::size_t head = 0; head < heads; ++head) {
      frame.roles.push_back(roles[head * length + t]);
      frame.entries.push_back(entries[t * heads + head]);
      held += frame.entries.back();
      if (scores.empty()) continue;
      const auto first = scores.begin() + static_cast<std::ptrdiff_t>((head * length + t) * role_count);
      frame.scores.insert(frame.scores.end(), first, first + role_count);
    }
    NATSCOPE_CHECK(check.add(frame.roles, evicted[t], frame.entries));
    frame.counts = count_cache(geometry, static_cast<std::int64_t>(t) + 1, held, allocated[t],
                               whole_window ? std::optional(check.paper_entries()) : std::nullopt);
    frame.evicted = std::move(evicted[t]);
    NATSCOPE_CHECK(record.append(std::move(frame)));
  }
  return record;
}

}  // namespace

CacheGeometry geometry_of(const TraceFile& trace) {
  const Provenance& from = trace.provenance();
  return {trace.layers(), trace.kv_heads(), from.head_dim.value_or(0),
          dtype_of_name(from.dtype).value_or(kernels::ElementType::f32)};
}

bool knows_what_is_held(const TraceFile& trace) {
  if (keeps_by_roles(trace) || trace.has_evicted()) return true;
  const auto& heads = trace.provenance().heads;
  if (!heads) return false;
  std::set<std::pair<LayerId, KvHeadId>> seen;
  for (const MapId& map : trace.provenance().maps)
    seen.emplace(map.layer, kv_head_of(map.head, *heads, trace.kv_heads()));
  return seen.size() == static_cast<std::size_t>(trace.layers()) * static_cast<std::size_t>(trace.kv_heads());
}

Expected<void> check_counts(const TraceFile& trace) {
  const auto length = static_cast<std::size_t>(trace.tokens_count());
  const std::size_t heads = static_cast<std::size_t>(trace.layers()) * static_cast<std::size_t>(trace.kv_heads());
  const std::vector<Role> all = trace.roles();
  const std::vector<std::int32_t> entries = trace.kv_entries();
  const std::vector<std::vector<EvictedEntry>> evicted = trace.evicted();
  NATSCOPE_CHECK(check_window(trace.provenance(), all));
  HeldCheck check = held_check_of(trace);
  std::vector<Role> roles(heads);
  for (std::size_t t = 0; t < length; ++t) {
    for (std::size_t head = 0; head < heads; ++head) roles[head] = all[head * length + t];
    NATSCOPE_CHECK(check.add(roles, evicted[t], std::span(entries).subspan(t * heads, heads)));
  }
  return {};
}

Expected<void> check_held_is_known(const TraceFile& trace) {
  if (knows_what_is_held(trace)) return {};
  return fail(ErrorCode::bad_trace, "the trace does not say what H2O dropped, it was made by an earlier version",
              "trace again, and what is held can be shown");
}

Expected<Session> session_of(const TraceFile& trace, const std::optional<Tokenizer>& tokenizer) try {
  Session session;
  NATSCOPE_TRY(session.record, record_of(trace, tokenizer));
  session.prompt_tokens = trace.prompt_tokens().value_or(trace.tokens_count());
  session.policy = trace.provenance().policy.empty() ? "model" : trace.provenance().policy;
  session.provenance = trace.provenance();
  session.knows_drops = knows_what_is_held(trace);
  session.token_texts = trace.token_names();
  return session;
} catch (const std::bad_alloc&) {
  return fail(ErrorCode::out_of_memory, "no memory for a trace of this size");
}

Expected<AttentionTile> tile_of(const TraceFile& trace, const TileKey& key,
                                std::span<const std::int32_t> other_last_query) {
  const auto map = trace.map_index({key.layer, key.head});
  if (!map) return fail(ErrorCode::bad_trace, "the trace does not hold the map " + maps_text({{key.layer, key.head}}));
  const std::int64_t length = trace.tokens_count();
  if (!key.is_possible()) return fail(ErrorCode::bad_position, "there is no such tile");
  const std::int64_t cell = key.tokens_a_cell();
  const std::int64_t first_query = key.first_query();
  const std::int64_t first_key = key.first_key();
  if (first_query >= length || first_key >= length)
    return fail(ErrorCode::bad_position, "a tile leaves the trace of " + std::to_string(length) + " tokens");
  const std::int64_t queries = std::min(tile_cells * cell, length - first_query);
  const std::int64_t keys = std::min(tile_cells * cell, length - first_key);

  AttentionTile tile;
  tile.key = key;
  tile.tokens = length;
  tile.rows = static_cast<std::int32_t>((queries + cell - 1) / cell);
  tile.columns = static_cast<std::int32_t>((keys + cell - 1) / cell);
  const std::size_t cells = static_cast<std::size_t>(tile.rows) * static_cast<std::size_t>(tile.columns);
  tile.maximum.assign(cells, 0);
  tile.mean.assign(cells, 0);
  tile.visible_share.assign(cells, 0);
  std::vector<double> sums(cells, 0);
  std::vector<std::int64_t> seen(cells, 0);
  std::vector<std::int64_t> possible(cells, 0);
  std::vector<float> weights(static_cast<std::size_t>(keys));
  std::vector<std::uint8_t> visible(static_cast<std::size_t>(keys));
  // Of a whole map all rows are read anyway: those of the summary, which a live map has, are counted on the way.
  AttentionSums attention;
  std::vector<QueryRun> summarised;
  if (tile.is_whole_map()) summarised = summary_queries(length);
  std::size_t run = 0;
  for (std::int64_t row = 0; row < queries; ++row) {
    const std::int64_t query = first_query + row;
    NATSCOPE_CHECK(trace.read_map(*map, TokenPos(static_cast<std::int32_t>(query)), 1,
                                  TokenPos(static_cast<std::int32_t>(first_key)), keys, weights, visible));
    while (run < summarised.size() && query >= std::int64_t{summarised[run].first} + summarised[run].count) ++run;
    if (run < summarised.size() && query >= summarised[run].first) attention.add_row(weights, query, other_last_query);
    for (std::int64_t column = 0; column < keys && first_key + column <= query; ++column) {
      const auto at = static_cast<std::size_t>((row / cell) * tile.columns + column / cell);
      const auto from = static_cast<std::size_t>(column);
      ++possible[at];
      if (visible[from] == 0) continue;
      ++seen[at];
      sums[at] += static_cast<double>(weights[from]);
      tile.maximum[at] = std::max(tile.maximum[at], weights[from]);
    }
  }
  for (std::size_t at = 0; at < cells; ++at) {
    if (seen[at] == 0) continue;
    tile.mean[at] = static_cast<float>(sums[at] / static_cast<double>(seen[at]));
    tile.visible_share[at] = static_cast<float>(static_cast<double>(seen[at]) / static_cast<double>(possible[at]));
  }
  if (tile.is_whole_map()) tile.summary = attention.mean();
  return tile;
}

}  // namespace natscope
