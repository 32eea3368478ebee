// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <numeric>

#include "core/base/utf8.h"
#include "core/cache/accounting.h"
#include "core/cache/cache_dtype.h"
#include "core/cache/policy.h"
#include "core/io/safetensors.h"
#include "core/model/config.h"
#include "core/session/held_check.h"
#include "core/session/metadata_reader.h"
#include "core/session/sampling_metadata.h"
#include "core/session/session_file.h"
#include "core/session/session_tensors.h"

namespace natscope {
namespace {

constexpr ErrorCode code = ErrorCode::bad_session;

/// Reads tensors of a session whose T is known; `prefix` stands before their names.
class Reader {
 public:
  Reader(const SafetensorsFile& file, std::string prefix, std::int64_t length)
      : file_(file), prefix_(std::move(prefix)), length_(length) {}

  template <class T>
  Expected<std::vector<T>> values(const char* name, DType dtype, const std::vector<std::int64_t>& shape) const {
    NATSCOPE_TRY(const TensorInfo* tensor, session::expect_tensor(file_, prefix_ + name, dtype, shape, code));
    std::vector<T> result(tensor->data.size() / sizeof(T));
    if (!result.empty()) std::memcpy(result.data(), tensor->data.data(), result.size() * sizeof(T));
    return result;
  }

  template <class T>
  Expected<std::vector<T>> column(const char* name, DType dtype) const {
    return values<T>(name, dtype, {length_});
  }

  Expected<std::string> bytes(const char* name) const {
    NATSCOPE_TRY(const auto content, values<char>(name, DType::u8, {-1}));
    return std::string(content.begin(), content.end());
  }

  /// Ends of lists: ascending, from 0 on, the last one at `total`.
  Expected<std::vector<std::int64_t>> ends(const char* name, std::int64_t count, std::size_t total) const {
    NATSCOPE_TRY(auto result, values<std::int64_t>(name, DType::i64, {count}));
    std::int64_t last = 0;
    for (const std::int64_t end : result) {
      if (end < last) return fail(code, "tensor “" + std::string(name) + "” does not ascend");
      last = end;
    }
    if (static_cast<std::size_t>(last) != total) {
      return fail(code, "tensor “" + std::string(name) + "” does not end where its list does");
    }
    return result;
  }

 private:
  const SafetensorsFile& file_;
  std::string prefix_;
  std::int64_t length_;
};

using Frames = std::vector<TokenFrame>;

Expected<void> read_heads(const Reader& in, const SequenceRecord& record, Frames& frames) {
  const std::int64_t layers = record.geometry().layers;
  const std::int64_t kv_heads = record.geometry().kv_heads;
  const auto length = static_cast<std::int64_t>(frames.size());
  const auto heads = static_cast<std::size_t>(layers * kv_heads);
  NATSCOPE_TRY(const auto roles, in.values<std::uint8_t>("roles", DType::u8, {layers, kv_heads, length}));
  NATSCOPE_TRY(const auto entries, in.values<std::int32_t>("kv_entries", DType::i32, {length, layers, kv_heads}));
  std::vector<float> scores;
  if (record.has_scores()) {
    NATSCOPE_TRY(scores, in.values<float>("frame_scores", DType::f32, {length, layers, kv_heads, role_count}));
  }
  for (const std::uint8_t role : roles) {
    if (role >= role_count) return fail(code, "tensor “roles” holds " + std::to_string(role));
  }
  for (std::size_t t = 0; t < frames.size(); ++t) {
    TokenFrame& frame = frames[t];
    frame.roles.reserve(heads);
    for (std::size_t head = 0; head < heads; ++head) {
      frame.roles.push_back(static_cast<Role>(roles[head * frames.size() + t]));
    }
    const auto first = static_cast<std::ptrdiff_t>(t * heads);
    const auto end = static_cast<std::ptrdiff_t>((t + 1) * heads);
    frame.entries.assign(entries.begin() + first, entries.begin() + end);
    for (const std::int32_t count : frame.entries) {
      if (count < 0) return fail(code, "tensor “kv_entries” holds " + std::to_string(count));
    }
    if (!scores.empty()) frame.scores.assign(scores.begin() + 3 * first, scores.begin() + 3 * end);
  }
  return {};
}

/// As many frames as every column has room for, and the columns in them.
Expected<Frames> read_columns(const Reader& in, std::int64_t length) {
  using namespace session;
  NATSCOPE_TRY(const auto tokens, in.column<std::int64_t>("tokens", DType::i64));
  NATSCOPE_TRY(const auto allocated, in.column<std::int64_t>("kv_allocated_bytes", DType::i64));
  NATSCOPE_TRY(const auto is_generated, in.column<std::uint8_t>(generated, DType::u8));
  NATSCOPE_TRY(const auto held, in.column<std::int64_t>(held_entries, DType::i64));
  NATSCOPE_TRY(const auto dense, in.column<std::int64_t>(dense_bytes, DType::i64));
  NATSCOPE_TRY(const auto live, in.column<std::int64_t>(live_bytes, DType::i64));
  NATSCOPE_TRY(const auto fraction, in.column<double>(kv_fraction, DType::f64));
  NATSCOPE_TRY(const auto paper, in.column<double>(paper_kv_fraction, DType::f64));
  NATSCOPE_TRY(const auto chance, in.column<float>(probability, DType::f32));
  NATSCOPE_TRY(const auto times, in.column<double>(step_ms, DType::f64));
  Frames frames(static_cast<std::size_t>(length));
  for (std::size_t t = 0; t < frames.size(); ++t) {
    if (tokens[t] < 0 || tokens[t] > std::numeric_limits<std::int32_t>::max()) {
      return fail(code, "tensor “tokens” holds the impossible token " + std::to_string(tokens[t]));
    }
    if (allocated[t] < 0 || held[t] < 0 || dense[t] < 0 || live[t] < 0 || !std::isfinite(fraction[t]) ||
        !std::isfinite(paper[t]) || !std::isfinite(times[t])) {
      return fail(code, "a count, share or time at position " + std::to_string(t) + " is impossible");
    }
    if (!(chance[t] >= 0 && chance[t] <= 1))
      return fail(code, "tensor “probability” holds " + std::to_string(chance[t]));
    TokenFrame& frame = frames[t];
    frame.position = TokenPos(static_cast<std::int32_t>(t));
    frame.token = static_cast<std::int32_t>(tokens[t]);
    frame.generated = is_generated[t] != 0;
    frame.counts = {static_cast<std::int64_t>(t) + 1, held[t], dense[t], live[t], allocated[t], fraction[t], paper[t]};
    frame.probability = chance[t];
    frame.step_ms = times[t];
  }
  return frames;
}

/// Text number `index` of `bytes`. Errors: bad_session when it is not UTF-8.
Expected<std::string> piece(const std::string& bytes, const std::vector<std::int64_t>& ends, std::size_t index) {
  const auto begin = static_cast<std::size_t>(index == 0 ? 0 : ends[index - 1]);
  std::string text = bytes.substr(begin, static_cast<std::size_t>(ends[index]) - begin);
  if (!valid_utf8(text)) return fail(code, "a token's text is not UTF-8");
  return text;
}

Expected<void> read_lists(const Reader& in, Frames& frames) {
  using namespace session;
  const auto length = static_cast<std::int64_t>(frames.size());
  NATSCOPE_TRY(const std::string text, in.bytes(text_bytes));
  NATSCOPE_TRY(const auto text_end, in.ends(text_ends, length, text.size()));
  NATSCOPE_TRY(const auto tokens, in.values<std::int32_t>(candidate_tokens, DType::i32, {-1}));
  NATSCOPE_TRY(const auto candidate_end, in.ends(candidate_ends, length, tokens.size()));
  NATSCOPE_TRY(const auto chances,
               in.values<float>(candidate_probabilities, DType::f32, {static_cast<std::int64_t>(tokens.size())}));
  NATSCOPE_TRY(const auto entries, in.values<std::int32_t>(evicted, DType::i32, {-1, 3}));
  NATSCOPE_TRY(const auto evicted_end, in.ends(evicted_ends, length, entries.size() / 3));
  std::size_t candidate = 0;
  std::size_t entry = 0;
  for (std::size_t t = 0; t < frames.size(); ++t) {
    NATSCOPE_TRY(frames[t].text, piece(text, text_end, t));
    for (; candidate < static_cast<std::size_t>(candidate_end[t]); ++candidate) {
      if (tokens[candidate] < 0) return fail(code, "tensor “candidate_tokens” holds a negative token");
      frames[t].candidates.push_back({tokens[candidate], chances[candidate]});
    }
    for (; entry < static_cast<std::size_t>(evicted_end[t]); ++entry) {
      frames[t].evicted.push_back(
          {LayerId(entries[3 * entry]), KvHeadId(entries[3 * entry + 1]), TokenPos(entries[3 * entry + 2])});
    }
  }
  return {};
}

Expected<void> read_names(const Reader& in, Session& value) {
  using namespace session;
  NATSCOPE_TRY(const auto tokens, in.values<std::int32_t>(named_tokens, DType::i32, {-1}));
  NATSCOPE_TRY(const std::string names, in.bytes(name_bytes));
  NATSCOPE_TRY(const auto name_end, in.ends(name_ends, static_cast<std::int64_t>(tokens.size()), names.size()));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    NATSCOPE_TRY(value.token_texts[tokens[i]], piece(names, name_end, i));
  }
  return {};
}

Expected<bool> truth(const session::MetadataReader& in, std::string_view key) {
  NATSCOPE_TRY(const std::string text, in.text(key));
  if (text != "true" && text != "false") return in.malformed(key, text);
  return text == "true";
}

/// What was chosen; older files say nothing of it.
Expected<void> read_view(const Metadata& metadata, std::int64_t length, Session& value) {
  if (!metadata.contains("view_layer")) return {};
  const session::MetadataReader in(metadata, code);
  const CacheGeometry& geometry = value.record.geometry();
  SessionView view;
  NATSCOPE_TRY(view.layer.value, in.number<std::int32_t>("view_layer", 0, geometry.layers - 1));
  const std::int32_t heads = value.provenance.heads.value_or(geometry.kv_heads);
  NATSCOPE_TRY(view.head.value, in.number<std::int32_t>("view_head", 0, heads - 1));
  NATSCOPE_TRY(const std::string list, in.text("view_pinned"));
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const auto position = session::number_in<std::int32_t>(std::string_view(list).substr(at, end - at));
    if (!position || *position < 0 || *position >= length || view.pinned.size() == most_pinned)
      return in.malformed("view_pinned", list);
    view.pinned.emplace_back(*position);
    at = end + 1;
  }
  NATSCOPE_TRY(const auto query, in.optional_number<std::int64_t>("view_query", 0, length - 1));
  if (query) view.query = TokenPos(static_cast<std::int32_t>(*query));
  value.view = std::move(view);
  return {};
}

/// "5-7,10-12": behind the prompt, one behind the other; older files do not say it.
Expected<void> read_follow_ups(const Metadata& metadata, std::int64_t length, Session& value) {
  const auto found = metadata.find("follow_ups");
  if (found == metadata.end()) return {};
  const session::MetadataReader in(metadata, code);
  std::vector<TokenSpan>& spans = value.follow_ups.emplace();
  const std::string_view list = found->second;
  for (std::size_t at = 0; !list.empty() && at <= list.size();) {
    const std::size_t stop = std::min(list.find(',', at), list.size());
    const std::string_view span = list.substr(at, stop - at);
    const std::size_t dash = std::min(span.find('-'), span.size());
    const auto first = session::number_in<std::int64_t>(span.substr(0, dash));
    const auto end = session::number_in<std::int64_t>(span.substr(std::min(dash + 1, span.size())));
    const std::int64_t least = spans.empty() ? value.prompt_tokens : spans.back().end;
    if (!first || !end || *first < least || *end <= *first || *end > length) return in.malformed("follow_ups", list);
    spans.push_back({*first, *end});
    at = stop + 1;
  }
  return {};
}

/// Everything that is not the record's frames.
Expected<void> read_settings(const Metadata& metadata, Session& value) {
  const session::MetadataReader in(metadata, code);
  NATSCOPE_CHECK(in.check_format(session::session_format, session::session_version));
  // The keys that a trace has, too, under the same rules.
  Metadata as_trace = metadata;
  as_trace["format"] = "natscope-trace";
  // What is not known, earlier versions wrote as 0.
  if (const auto head_dim = as_trace.find("head_dim"); head_dim != as_trace.end() && head_dim->second == "0")
    head_dim->second.clear();
  auto provenance = parse_trace_metadata(as_trace);
  if (!provenance) return fail(code, provenance.error().message);
  value.provenance = *std::move(provenance);

  CacheGeometry geometry;
  constexpr std::int32_t most = max_head_pairs;
  NATSCOPE_TRY(geometry.layers, in.number<std::int32_t>("layers", 1, most));
  NATSCOPE_TRY(geometry.kv_heads, in.number<std::int32_t>("kv_heads", 1, most));
  NATSCOPE_CHECK(in.text("head_dim"));
  geometry.head_dim = value.provenance.head_dim.value_or(0);
  const std::int32_t heads = value.provenance.heads.value_or(geometry.kv_heads);
  if (heads % geometry.kv_heads != 0) return fail(code, "the metadata's “heads” does not fit its “kv_heads”");
  // A record has three lists for each pair before its first token comes, and a window a place for each map.
  if (std::int64_t{geometry.layers} * heads > max_head_pairs) {
    return fail(code, "the metadata's layers times heads is more than any model has");
  }
  for (const MapId& map : value.provenance.maps) {
    if (map.layer.value >= geometry.layers || map.head.value >= heads)
      return fail(code, "the metadata's “maps” names " + maps_text({map}) + ", which the model does not have");
  }
  NATSCOPE_TRY(const std::string name, in.text("cache_dtype"));
  const auto dtype = dtype_of_name(name);
  if (!dtype) return in.malformed("cache_dtype", name);
  geometry.dtype = *dtype;
  NATSCOPE_TRY(const bool has_scores, truth(in, "has_scores"));
  value.record = SequenceRecord(geometry, has_scores, value.provenance.window);

  if (metadata.contains("chat_turn")) {
    NATSCOPE_TRY(value.is_chat_turn, truth(in, "chat_turn"));
  }
  if (metadata.contains("knows_drops")) {
    NATSCOPE_TRY(value.knows_drops, truth(in, "knows_drops"));
  }
  NATSCOPE_TRY(value.policy, in.text("policy"));
  NATSCOPE_TRY(value.prompt_tokens, in.number<std::int64_t>("prompt_tokens", 0));
  NATSCOPE_TRY(value.max_new_tokens, in.number<std::int64_t>("max_new_tokens", 0));
  NATSCOPE_TRY(value.sampling, session::read_sampling(in));
  NATSCOPE_TRY(value.sampling.seed, in.number<std::uint64_t>("sampling_seed"));
  return {};
}

/// Counts, bytes and shares against the roles, or against what was dropped: they are one run's.
Expected<void> check_counts(const Session& value, const Frames& frames) {
  using session::HeldCheck;
  const CacheGeometry& geometry = value.record.geometry();
  const auto& window = value.provenance.window;
  const std::size_t heads = static_cast<std::size_t>(geometry.layers) * static_cast<std::size_t>(geometry.kv_heads);
  const HeldCheck::By by = has_roles(value.policy) ? HeldCheck::By::roles
                           : value.knows_drops     ? HeldCheck::By::dropped
                                                   : HeldCheck::By::nothing;
  HeldCheck check(by, window.value_or(0), heads, geometry.kv_heads, code);
  for (const TokenFrame& frame : frames) {
    if (!window && std::ranges::find(frame.roles, Role::sliding) != frame.roles.end())
      return fail(code, "the session has sliding tokens and no window");
    if (!std::ranges::all_of(frame.scores, [](float score) { return std::isfinite(score); }))
      return fail(code, "tensor “frame_scores” holds what is no number");
    for (const EvictedEntry& entry : frame.evicted) {
      const bool was_there = entry.layer.value >= 0 && entry.layer.value < geometry.layers &&
                             entry.kv_head.value >= 0 && entry.kv_head.value < geometry.kv_heads;
      if (!was_there) return fail(code, "tensor “evicted” names a head that the model does not have");
    }
    NATSCOPE_CHECK(check.add(frame.roles, frame.evicted, frame.entries));
    const std::int64_t held = std::accumulate(frame.entries.begin(), frame.entries.end(), std::int64_t{0});
    const CacheCounts counts =
        count_cache(geometry, frame.counts.tokens, held, frame.counts.allocated_bytes, check.paper_entries());
    const auto is_near = [](double a, double b) { return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b)); };
    const bool is_paper = is_near(frame.counts.paper_fraction, counts.paper_fraction) ||
                          is_near(frame.counts.paper_fraction, counts.fraction);
    if (frame.counts.entries == held && frame.counts.dense_bytes == counts.dense_bytes &&
        frame.counts.live_bytes == counts.live_bytes && is_near(frame.counts.fraction, counts.fraction) && is_paper)
      continue;
    return fail(code,
                "the counts after token " + std::to_string(frame.position.value) + " are not what its entries leave");
  }
  return {};
}

Expected<Session> read_one(const SafetensorsFile& file, const Metadata& metadata, const std::string& prefix) {
  Session value;
  NATSCOPE_CHECK(read_settings(metadata, value));
  NATSCOPE_TRY(const TensorInfo* tokens, session::expect_tensor(file, prefix + "tokens", DType::i64, {-1}, code));
  const std::int64_t length = tokens->shape[0];
  if (length > std::numeric_limits<std::int32_t>::max()) return fail(code, "the session is impossibly long");
  if (value.prompt_tokens > length) return fail(code, "the prompt is longer than the session");

  NATSCOPE_CHECK(read_view(metadata, length, value));
  NATSCOPE_CHECK(read_follow_ups(metadata, length, value));

  const Reader in(file, prefix, length);
  NATSCOPE_TRY(Frames frames, read_columns(in, length));
  NATSCOPE_CHECK(read_heads(in, value.record, frames));
  NATSCOPE_CHECK(read_lists(in, frames));
  NATSCOPE_CHECK(read_names(in, value));
  // A session keeps the settings for what may be generated next, too: of its run they tell only where they were used,
  // behind the last token that was given.
  if (frames.empty() || !frames.back().generated) value.provenance.sampling.reset();
  NATSCOPE_CHECK(check_counts(value, frames));
  for (TokenFrame& frame : frames) {
    auto appended = value.record.append(std::move(frame));
    if (!appended) return fail(code, appended.error().message);
  }
  NATSCOPE_TRY(value.prompt, in.bytes(session::prompt_bytes));
  if (!valid_utf8(value.prompt)) return fail(code, "the prompt is not UTF-8");
  NATSCOPE_TRY(value.model_path, in.bytes(session::model_path_bytes));
  NATSCOPE_TRY(value.adapter_path, in.bytes(session::adapter_path_bytes));
  return value;
}

}  // namespace

Expected<Session> read_session(const std::filesystem::path& path) try {
  NATSCOPE_TRY(const SafetensorsFile file, SafetensorsFile::open(path));
  NATSCOPE_TRY(Session value, read_one(file, file.metadata(), {}));
  constexpr std::string_view prefix = session::kept_prefix;
  Metadata kept;
  for (const auto& [key, text] : file.metadata()) {
    if (key.starts_with(prefix)) kept.emplace(key.substr(prefix.size()), text);
  }
  if (kept.empty()) return value;
  NATSCOPE_TRY(Session other, read_one(file, kept, std::string(prefix)));
  value.kept = std::make_shared<const Session>(std::move(other));
  return value;
} catch (const std::bad_alloc&) {
  return fail(ErrorCode::out_of_memory, "no memory for a session of this size");
}

Expected<std::string> recorded_format(const std::filesystem::path& path) {
  NATSCOPE_TRY(const SafetensorsFile file, SafetensorsFile::open(path));
  const auto found = file.metadata().find("format");
  if (found == file.metadata().end()) return std::string();
  return found->second == "natscope-trace" || found->second == session::session_format ? found->second : std::string();
}

}  // namespace natscope
