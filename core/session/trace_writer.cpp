// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <utility>

#include "core/cache/policy.h"
#include "core/session/session_tensors.h"
#include "core/session/trace_file.h"
#include "core/session/trace_texts.h"

namespace natscope {
namespace {

/// Rows of a map are asked for in blocks of about this many cells.
constexpr std::int64_t block_cells = std::int64_t{1} << 20U;

template <class T>
TensorToWrite in_memory(std::string name, DType dtype, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  return {std::move(name), dtype, std::move(shape), std::as_bytes(std::span<const T>(values)), {}};
}

/// The tensors that grow with T only: gathered from the frames.
struct Columns {
  std::vector<std::int64_t> tokens;
  std::vector<std::uint8_t> roles;    // [layers, kv_heads, T]
  std::vector<std::int32_t> entries;  // [T, layers, kv_heads]
  std::vector<std::int64_t> allocated;
  std::vector<float> probability;     // [T]
  std::vector<std::int32_t> evicted;  // [entries, 3]
  std::vector<std::int64_t> evicted_ends;
};

Columns columns_of(const SequenceRecord& record) {
  Columns columns;
  for (const TokenFrame& frame : record.frames()) {
    columns.tokens.push_back(frame.token);
    columns.entries.insert(columns.entries.end(), frame.entries.begin(), frame.entries.end());
    columns.allocated.push_back(frame.counts.allocated_bytes);
    columns.probability.push_back(frame.probability);
    for (const EvictedEntry& entry : frame.evicted)
      columns.evicted.insert(columns.evicted.end(), {entry.layer.value, entry.kv_head.value, entry.position.value});
    columns.evicted_ends.push_back(static_cast<std::int64_t>(columns.evicted.size() / 3));
  }
  for (std::int32_t layer = 0; layer < record.geometry().layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < record.geometry().kv_heads; ++kv_head) {
      for (const Role role : record.roles(LayerId(layer), KvHeadId(kv_head))) {
        columns.roles.push_back(static_cast<std::uint8_t>(role));
      }
    }
  }
  return columns;
}

/// scores [layers, kv_heads, T, 3], one head's rows at a time.
Expected<void> produce_scores(const SequenceRecord& record, const TensorSink& sink) {
  const std::int64_t heads = std::int64_t{record.geometry().layers} * record.geometry().kv_heads;
  std::vector<float> rows;
  for (std::int64_t head = 0; head < heads; ++head) {
    rows.clear();
    for (const TokenFrame& frame : record.frames()) {
      const auto first = frame.scores.begin() + head * role_count;
      rows.insert(rows.end(), first, first + role_count);
    }
    NATSCOPE_CHECK(sink(std::as_bytes(std::span<const float>(rows))));
  }
  return {};
}

enum class MapPart { weights, visible };

Expected<void> produce_maps(const TraceContent& content, MapPart part, const TensorSink& sink) {
  const std::int64_t length = content.record->size();
  const std::int64_t block_rows = std::clamp<std::int64_t>(block_cells / std::max<std::int64_t>(length, 1), 1, length);
  std::vector<float> weights(static_cast<std::size_t>(block_rows * length));
  std::vector<std::uint8_t> visible(weights.size());
  for (const MapId& map : content.provenance.maps) {
    for (std::int64_t first = 0; first < length; first += block_rows) {
      const std::int64_t rows = std::min(block_rows, length - first);
      const auto cells = static_cast<std::size_t>(rows * length);
      const std::span<float> block(weights.data(), cells);
      const std::span<std::uint8_t> seen(visible.data(), cells);
      NATSCOPE_CHECK(content.map_rows(map, TokenPos(static_cast<std::int32_t>(first)), rows, block, seen));
      NATSCOPE_CHECK(sink(part == MapPart::weights ? std::as_bytes(block) : std::as_bytes(seen)));
    }
  }
  return {};
}

}  // namespace

Expected<void> write_trace(const std::filesystem::path& path, const TraceContent& content) {
  const SequenceRecord& record = *content.record;
  const std::int64_t length = record.size();
  const std::int64_t layers = record.geometry().layers;
  const std::int64_t kv_heads = record.geometry().kv_heads;
  const Columns columns = columns_of(record);
  std::vector<TensorToWrite> tensors;
  tensors.push_back(in_memory("tokens", DType::i64, {length}, columns.tokens));
  tensors.push_back(in_memory("roles", DType::u8, {layers, kv_heads, length}, columns.roles));
  tensors.push_back(in_memory("kv_entries", DType::i32, {length, layers, kv_heads}, columns.entries));
  tensors.push_back(in_memory("kv_allocated_bytes", DType::i64, {length}, columns.allocated));
  tensors.push_back(in_memory(session::probability, DType::f32, {length}, columns.probability));
  if (!has_roles(content.provenance.policy)) {
    const std::int64_t entries = columns.evicted_ends.empty() ? 0 : columns.evicted_ends.back();
    tensors.push_back(in_memory(session::evicted, DType::i32, {entries, 3}, columns.evicted));
    tensors.push_back(in_memory(session::evicted_ends, DType::i64, {length}, columns.evicted_ends));
  }
  if (content.logits) tensors.push_back({"logits", DType::f32, {length, content.vocab}, {}, content.logits});
  if (content.with_scores && record.has_scores()) {
    tensors.push_back(
        {"scores", DType::f32, {layers, kv_heads, length, role_count}, {}, [&record](const TensorSink& sink) {
           return produce_scores(record, sink);
         }});
  }
  const auto maps = static_cast<std::int64_t>(content.provenance.maps.size());
  if (maps > 0) {
    if (!content.map_rows) return fail(ErrorCode::internal, "a trace with maps needs their rows");
    for (const auto& [name, dtype, part] :
         {std::tuple{"attention", DType::f32, MapPart::weights}, std::tuple{"visible", DType::u8, MapPart::visible}}) {
      tensors.push_back({name, dtype, {maps, length, length}, {}, [&content, part](const TensorSink& sink) {
                           return produce_maps(content, part, sink);
                         }});
    }
  }
  Metadata metadata = trace_metadata(content.provenance);
  metadata["prompt_tokens"] = std::to_string(content.prompt_tokens);
  session::add_token_texts(metadata, record, content.name_of);
  return write_safetensors(path, tensors, metadata);
}

}  // namespace natscope
