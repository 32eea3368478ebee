// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <set>
#include <utility>

#include "core/cache/policy.h"
#include "core/model/config.h"
#include "core/session/metadata_reader.h"
#include "core/session/session_tensors.h"
#include "core/session/trace_file.h"
#include "core/session/trace_texts.h"

namespace natscope {
namespace {

using session::expect_tensor;

template <class T>
std::vector<T> copied(const SafetensorsFile& file, const char* name) {
  const TensorInfo* tensor = file.find(name);  // open() saw it, with this dtype
  std::vector<T> values(tensor->data.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor->data.data(), values.size() * sizeof(T));
  return values;
}

Expected<void> check_values(const SafetensorsFile& file) {
  for (const std::int64_t token : copied<std::int64_t>(file, "tokens")) {
    if (token < 0 || token > std::numeric_limits<std::int32_t>::max()) {
      return fail(ErrorCode::bad_trace, "tensor “tokens” holds the impossible token " + std::to_string(token));
    }
  }
  for (const std::byte role : file.find("roles")->data) {
    if (std::to_integer<int>(role) >= role_count) {
      return fail(ErrorCode::bad_trace, "tensor “roles” holds " + std::to_string(std::to_integer<int>(role)));
    }
  }
  for (const std::int32_t count : copied<std::int32_t>(file, "kv_entries")) {
    if (count < 0) return fail(ErrorCode::bad_trace, "tensor “kv_entries” holds " + std::to_string(count));
  }
  for (const std::int64_t bytes : copied<std::int64_t>(file, "kv_allocated_bytes")) {
    if (bytes < 0) return fail(ErrorCode::bad_trace, "tensor “kv_allocated_bytes” holds " + std::to_string(bytes));
  }
  return {};
}

/// The tensors that a trace need not have.
Expected<void> check_optional(const SafetensorsFile& file, std::int64_t length, std::int64_t layers,
                              std::int64_t kv_heads, const Provenance& provenance) {
  constexpr ErrorCode code = ErrorCode::bad_trace;
  if (file.find("logits") != nullptr) NATSCOPE_CHECK(expect_tensor(file, "logits", DType::f32, {length, -1}, code));
  if (file.find("scores") != nullptr) {
    NATSCOPE_CHECK(expect_tensor(file, "scores", DType::f32, {layers, kv_heads, length, role_count}, code));
  }
  if (file.find(session::probability) != nullptr) {
    NATSCOPE_CHECK(expect_tensor(file, session::probability, DType::f32, {length}, code));
    for (const float probability : copied<float>(file, session::probability)) {
      if (!(probability >= 0 && probability <= 1))
        return fail(code, "tensor “probability” holds " + std::to_string(probability));
    }
  }
  const auto maps = static_cast<std::int64_t>(provenance.maps.size());
  const bool has_maps = file.find("attention") != nullptr || file.find("visible") != nullptr;
  if (maps == 0 && !has_maps) return {};
  NATSCOPE_CHECK(expect_tensor(file, "attention", DType::f32, {maps, length, length}, code));
  NATSCOPE_CHECK(expect_tensor(file, "visible", DType::u8, {maps, length, length}, code));
  // A file that does not say how many there are names no more of them than a model can have.
  const std::int64_t heads = provenance.heads.value_or(max_head_pairs / layers);
  std::set<std::pair<LayerId, HeadId>> named;
  for (const MapId& map : provenance.maps) {
    if (!named.emplace(map.layer, map.head).second)
      return fail(code, "the metadata's “maps” names " + maps_text({map}) + " twice");
    if (map.layer.value >= layers || map.head.value >= heads) {
      return fail(code, "the metadata's “maps” names " + maps_text({map}) + ", which the model does not have");
    }
  }
  return {};
}

/// Whether nothing but “evicted” says what was dropped: roles do not, nor is it H2O, of which older traces lack it.
bool needs_evicted(std::string_view policy) { return !has_roles(policy) && !policy.starts_with("h2o:"); }

/// What was dropped: each entry after it came, and once.
Expected<void> check_evicted(const SafetensorsFile& file, std::int64_t length, std::int64_t layers,
                             std::int64_t kv_heads, std::string_view policy) {
  constexpr ErrorCode code = ErrorCode::bad_trace;
  if (file.find(session::evicted) == nullptr && file.find(session::evicted_ends) == nullptr) {
    if (!needs_evicted(policy)) return {};
    return fail(code, "the trace does not say what “" + method_name(policy) + "” dropped: it has no tensor “evicted”",
                "write evicted and evicted_ends, or a policy that has roles");
  }
  if (has_roles(policy))
    return fail(code,
                "the trace says what was dropped (“evicted”) beside a policy with roles, “" + printable(policy) +
                    "”: one of them decides",
                "name the method that dropped it");
  NATSCOPE_CHECK(expect_tensor(file, session::evicted, DType::i32, {-1, 3}, code));
  NATSCOPE_CHECK(expect_tensor(file, session::evicted_ends, DType::i64, {length}, code));
  const auto entries = copied<std::int32_t>(file, session::evicted);
  // As large as “roles”, which the file has.
  std::vector<bool> gone(static_cast<std::size_t>(layers * kv_heads * length));
  std::size_t entry = 0;
  std::int64_t step = 0;
  for (const std::int64_t end : copied<std::int64_t>(file, session::evicted_ends)) {
    if (end < static_cast<std::int64_t>(entry) || end > static_cast<std::int64_t>(entries.size() / 3))
      return fail(code, "tensor “evicted_ends” does not ascend to the end of “evicted”");
    for (; entry < static_cast<std::size_t>(end); ++entry) {
      const std::int64_t layer = entries[3 * entry];
      const std::int64_t kv_head = entries[3 * entry + 1];
      const std::int64_t position = entries[3 * entry + 2];
      const bool was_there =
          layer >= 0 && layer < layers && kv_head >= 0 && kv_head < kv_heads && position >= 0 && position <= step;
      const auto at = static_cast<std::size_t>(was_there ? (layer * kv_heads + kv_head) * length + position : 0);
      if (!was_there || gone[at]) {
        return fail(code, "tensor “evicted” drops an entry after token " + std::to_string(step) +
                              (was_there ? " that was dropped before" : " that was never there"));
      }
      gone[at] = true;
    }
    ++step;
  }
  if (entry == entries.size() / 3) return {};
  return fail(code, "tensor “evicted_ends” does not ascend to the end of “evicted”");
}

/// One row of `visible`, of whose keys the first `before` do not come behind the query.
Expected<void> check_visible(std::span<const std::byte> seen, std::size_t before, std::size_t query) {
  unsigned any = 0;
  for (const std::byte each : seen) any |= std::to_integer<unsigned>(each);
  if (any > 1) return fail(ErrorCode::bad_trace, "tensor “visible” holds other numbers than 0 and 1");
  unsigned later = 0;
  for (const std::byte each : seen.subspan(before)) later |= std::to_integer<unsigned>(each);
  if (later == 0) return {};
  return fail(ErrorCode::bad_trace,
              "tensor “visible” has query " + std::to_string(query) + " see a key that comes behind it");
}

/// The same row of “attention”: nothing but weights, and none on what is not seen.
Expected<void> check_weights(std::span<const float> weights, std::span<const std::byte> seen, std::size_t query) {
  constexpr float most = 1.01F;  // of numbers that were rounded to eight bits, too
  bool are_weights = true;
  bool is_hidden_seen = false;
  for (std::size_t key = 0; key < weights.size(); ++key) {
    are_weights &= weights[key] >= 0 && weights[key] <= most;
    is_hidden_seen |= weights[key] != 0 && seen[key] == std::byte{0};
  }
  if (!are_weights) return fail(ErrorCode::bad_trace, "tensor “attention” holds what is not an attention weight");
  if (!is_hidden_seen) return {};
  return fail(ErrorCode::bad_trace, "tensor “attention” has query " + std::to_string(query) +
                                        " put weight on a key that “visible” says it does not see");
}

}  // namespace

TraceFile::TraceFile(SafetensorsFile file, Provenance provenance)
    : file_(std::move(file)), provenance_(std::move(provenance)) {}

Expected<TraceFile> TraceFile::open(const std::filesystem::path& path) try {
  constexpr ErrorCode code = ErrorCode::bad_trace;
  NATSCOPE_TRY(SafetensorsFile file, SafetensorsFile::open(path));
  NATSCOPE_TRY(Provenance provenance, parse_trace_metadata(file.metadata()));
  NATSCOPE_TRY(const TensorInfo* roles, expect_tensor(file, "roles", DType::u8, {-1, -1, -1}, code));
  const std::int64_t layers = roles->shape[0];
  const std::int64_t kv_heads = roles->shape[1];
  const std::int64_t length = roles->shape[2];
  constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
  if (layers < 1 || kv_heads < 1 || length < 1 || layers > limit || kv_heads > limit || length > limit) {
    return fail(code, "tensor “roles” has the impossible shape " + shape_text(roles->shape));
  }
  NATSCOPE_CHECK(expect_tensor(file, "tokens", DType::i64, {length}, code));
  NATSCOPE_CHECK(expect_tensor(file, "kv_entries", DType::i32, {length, layers, kv_heads}, code));
  NATSCOPE_CHECK(expect_tensor(file, "kv_allocated_bytes", DType::i64, {length}, code));
  if (provenance.heads && *provenance.heads % kv_heads != 0) {
    return fail(code, "the metadata's “heads” does not fit the KV heads of “roles”");
  }
  if (layers * std::max<std::int64_t>(kv_heads, provenance.heads.value_or(0)) > max_head_pairs)
    return fail(code, "the trace has more layers and heads than any model");
  NATSCOPE_CHECK(check_optional(file, length, layers, kv_heads, provenance));
  NATSCOPE_CHECK(check_values(file));
  NATSCOPE_CHECK(check_evicted(file, length, layers, kv_heads, provenance.policy));
  const session::MetadataReader in(file.metadata(), code);
  NATSCOPE_TRY(const auto prompt_tokens, in.optional_number<std::int64_t>("prompt_tokens", 0, length));
  NATSCOPE_TRY(session::TokenTexts texts, session::read_token_texts(file.metadata(), length));

  TraceFile trace(std::move(file), std::move(provenance));
  trace.length_ = length;
  trace.layers_ = static_cast<std::int32_t>(layers);
  trace.kv_heads_ = static_cast<std::int32_t>(kv_heads);
  trace.prompt_tokens_ = prompt_tokens;
  trace.texts_ = std::move(texts.texts);
  trace.names_ = std::move(texts.names);
  return trace;
} catch (const std::bad_alloc&) {
  return fail(ErrorCode::out_of_memory, "no memory for a trace of this size");
}

std::vector<std::int32_t> TraceFile::tokens() const {
  const auto wide = copied<std::int64_t>(file_, "tokens");
  std::vector<std::int32_t> tokens;
  tokens.reserve(wide.size());
  for (const std::int64_t token : wide) tokens.push_back(static_cast<std::int32_t>(token));
  return tokens;
}

std::vector<Role> TraceFile::roles() const { return copied<Role>(file_, "roles"); }
std::vector<std::int32_t> TraceFile::kv_entries() const { return copied<std::int32_t>(file_, "kv_entries"); }
std::vector<std::int64_t> TraceFile::kv_allocated_bytes() const {
  return copied<std::int64_t>(file_, "kv_allocated_bytes");
}

bool TraceFile::has_evicted() const { return file_.find(session::evicted) != nullptr; }

std::vector<std::vector<EvictedEntry>> TraceFile::evicted() const {
  std::vector<std::vector<EvictedEntry>> steps(static_cast<std::size_t>(length_));
  if (!has_evicted()) return steps;
  const auto entries = copied<std::int32_t>(file_, session::evicted);
  const auto ends = copied<std::int64_t>(file_, session::evicted_ends);
  std::size_t entry = 0;
  for (std::size_t step = 0; step < steps.size(); ++step) {
    for (; entry < static_cast<std::size_t>(ends[step]); ++entry) {
      steps[step].push_back(
          {LayerId(entries[3 * entry]), KvHeadId(entries[3 * entry + 1]), TokenPos(entries[3 * entry + 2])});
    }
  }
  return steps;
}

std::vector<float> TraceFile::probability() const {
  return file_.find(session::probability) != nullptr ? copied<float>(file_, session::probability)
                                                     : std::vector<float>();
}

std::vector<float> TraceFile::scores() const {
  return file_.find("scores") != nullptr ? copied<float>(file_, "scores") : std::vector<float>();
}

std::optional<std::size_t> TraceFile::map_index(const MapId& map) const {
  const auto found = std::find(provenance_.maps.begin(), provenance_.maps.end(), map);
  if (found == provenance_.maps.end()) return std::nullopt;
  return static_cast<std::size_t>(found - provenance_.maps.begin());
}

Expected<void> TraceFile::read_map(std::size_t map, TokenPos first_query, std::int64_t queries, TokenPos first_key,
                                   std::int64_t keys, std::span<float> weights, std::span<std::uint8_t> visible) const {
  if (map >= provenance_.maps.size() || first_query.value < 0 || first_key.value < 0 || queries < 0 || keys < 0 ||
      queries > length_ - first_query.value || keys > length_ - first_key.value) {
    return fail(ErrorCode::bad_position, "a piece of a map leaves the trace of " + std::to_string(length_) + " tokens");
  }
  const auto cells = static_cast<std::size_t>(queries * keys);
  if ((!weights.empty() && weights.size() != cells) || (!visible.empty() && visible.size() != cells)) {
    return fail(ErrorCode::internal, "the space for a piece of a map has another size");
  }
  const std::byte* stored_weights = file_.find("attention")->data.data();
  const std::byte* stored_visible = file_.find("visible")->data.data();
  const auto length = static_cast<std::size_t>(length_);
  const auto columns = static_cast<std::size_t>(keys);
  std::vector<float> own_weights(weights.empty() ? 0 : columns);
  for (std::size_t row = 0; row < static_cast<std::size_t>(queries) && columns > 0; ++row) {
    const std::size_t query = static_cast<std::size_t>(first_query.value) + row;
    const std::size_t from = (map * length + query) * length + static_cast<std::size_t>(first_key.value);
    const std::byte* const seen = stored_visible + from;
    if (!visible.empty()) std::memcpy(visible.data() + row * columns, seen, columns);
    // Keys up to the query's own; what comes behind it is not seen.
    const std::size_t before = query + 1 - std::min(query + 1, static_cast<std::size_t>(first_key.value));
    NATSCOPE_CHECK(check_visible({seen, columns}, std::min(before, columns), query));
    if (weights.empty()) continue;
    std::memcpy(own_weights.data(), stored_weights + from * sizeof(float), columns * sizeof(float));
    NATSCOPE_CHECK(check_weights(own_weights, {seen, columns}, query));
    std::copy(own_weights.begin(), own_weights.end(), weights.begin() + static_cast<std::ptrdiff_t>(row * columns));
  }
  return {};
}

}  // namespace natscope
