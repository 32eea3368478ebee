// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <deque>
#include <new>

#include "core/cache/cache_dtype.h"
#include "core/io/safetensors_writer.h"
#include "core/session/sampling_metadata.h"
#include "core/session/session_file.h"
#include "core/session/session_tensors.h"

namespace natscope {
namespace {

/// Gathers tensors and keeps their bytes until they are written.
class Tensors {
 public:
  /// Before the names of what is added from now on.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }

  template <class T>
  void add(const char* name, DType dtype, const std::vector<T>& values, std::vector<std::int64_t> shape) {
    const auto bytes = std::as_bytes(std::span<const T>(values));
    add_bytes(name, dtype, {bytes.begin(), bytes.end()}, std::move(shape));
  }

  template <class T>
  void add(const char* name, DType dtype, const std::vector<T>& values) {
    add(name, dtype, values, {static_cast<std::int64_t>(values.size())});
  }

  void add_text(const char* name, std::string_view text) {
    add(name, DType::u8, std::vector<char>(text.begin(), text.end()));
  }

  [[nodiscard]] std::span<const TensorToWrite> all() const { return tensors_; }

 private:
  void add_bytes(const char* name, DType dtype, std::vector<std::byte> bytes, std::vector<std::int64_t> shape) {
    kept_.push_back(std::move(bytes));
    tensors_.push_back({prefix_ + name, dtype, std::move(shape), kept_.back(), {}});
  }

  std::string prefix_;
  std::deque<std::vector<std::byte>> kept_;  // its elements never move
  std::vector<TensorToWrite> tensors_;
};

template <class T, class Get>
std::vector<T> column(const SequenceRecord& record, Get get) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(record.size()));
  for (const TokenFrame& frame : record.frames()) values.push_back(static_cast<T>(get(frame)));
  return values;
}

/// What a trace has, too, under the same names.
void add_trace_tensors(Tensors& out, const SequenceRecord& record) {
  const std::int64_t layers = record.geometry().layers;
  const std::int64_t kv_heads = record.geometry().kv_heads;
  const std::int64_t length = record.size();
  out.add("tokens", DType::i64, column<std::int64_t>(record, [](const auto& frame) { return frame.token; }));
  std::vector<Role> roles;
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
      const auto row = record.roles(LayerId(layer), KvHeadId(kv_head));
      roles.insert(roles.end(), row.begin(), row.end());
    }
  }
  out.add("roles", DType::u8, roles, {layers, kv_heads, length});
  std::vector<std::int32_t> entries;
  std::vector<float> scores;  // [T, layers, kv_heads, 3]: as frames have them
  for (const TokenFrame& frame : record.frames()) {
    entries.insert(entries.end(), frame.entries.begin(), frame.entries.end());
    scores.insert(scores.end(), frame.scores.begin(), frame.scores.end());
  }
  out.add("kv_entries", DType::i32, entries, {length, layers, kv_heads});
  out.add("kv_allocated_bytes", DType::i64,
          column<std::int64_t>(record, [](const auto& frame) { return frame.counts.allocated_bytes; }));
  if (!record.has_scores()) return;
  out.add("frame_scores", DType::f32, scores, {length, layers, kv_heads, role_count});
}

void add_columns(Tensors& out, const SequenceRecord& record) {
  using namespace session;
  out.add(generated, DType::u8,
          column<std::uint8_t>(record, [](const auto& frame) { return frame.generated ? 1 : 0; }));
  out.add(held_entries, DType::i64,
          column<std::int64_t>(record, [](const auto& frame) { return frame.counts.entries; }));
  out.add(dense_bytes, DType::i64,
          column<std::int64_t>(record, [](const auto& frame) { return frame.counts.dense_bytes; }));
  out.add(live_bytes, DType::i64,
          column<std::int64_t>(record, [](const auto& frame) { return frame.counts.live_bytes; }));
  out.add(kv_fraction, DType::f64, column<double>(record, [](const auto& frame) { return frame.counts.fraction; }));
  out.add(paper_kv_fraction, DType::f64,
          column<double>(record, [](const auto& frame) { return frame.counts.paper_fraction; }));
  out.add(probability, DType::f32, column<float>(record, [](const auto& frame) { return frame.probability; }));
  out.add(step_ms, DType::f64, column<double>(record, [](const auto& frame) { return frame.step_ms; }));
}

void add_lists(Tensors& out, const Session& value) {
  using namespace session;
  std::string text;
  std::vector<std::int64_t> text_end;
  std::vector<std::int64_t> candidate_end;
  std::vector<std::int64_t> evicted_end;
  std::vector<std::int32_t> tokens;
  std::vector<float> probabilities;
  std::vector<std::int32_t> entries;
  for (const TokenFrame& frame : value.record.frames()) {
    text += frame.text;
    for (const TokenCandidate& candidate : frame.candidates) {
      tokens.push_back(candidate.token);
      probabilities.push_back(candidate.probability);
    }
    for (const EvictedEntry& entry : frame.evicted) {
      entries.insert(entries.end(), {entry.layer.value, entry.kv_head.value, entry.position.value});
    }
    text_end.push_back(static_cast<std::int64_t>(text.size()));
    candidate_end.push_back(static_cast<std::int64_t>(tokens.size()));
    evicted_end.push_back(static_cast<std::int64_t>(entries.size() / 3));
  }
  out.add_text(text_bytes, text);
  out.add(text_ends, DType::i64, text_end);
  out.add(candidate_ends, DType::i64, candidate_end);
  out.add(candidate_tokens, DType::i32, tokens);
  out.add(candidate_probabilities, DType::f32, probabilities);
  out.add(evicted_ends, DType::i64, evicted_end);
  out.add(evicted, DType::i32, entries, {static_cast<std::int64_t>(entries.size() / 3), 3});

  std::string names;
  std::vector<std::int32_t> named;
  std::vector<std::int64_t> name_end;
  for (const auto& [token, token_text] : value.token_texts) {
    names += token_text;
    named.push_back(token);
    name_end.push_back(static_cast<std::int64_t>(names.size()));
  }
  out.add(named_tokens, DType::i32, named);
  out.add_text(name_bytes, names);
  out.add(name_ends, DType::i64, name_end);
}

Metadata metadata_of(const Session& value) {
  Metadata metadata = trace_metadata(value.provenance);
  metadata["format"] = session::session_format;
  metadata["version"] = session::session_version;
  metadata["policy"] = value.policy;
  const SequenceRecord& record = value.record;
  metadata["layers"] = std::to_string(record.geometry().layers);
  metadata["kv_heads"] = std::to_string(record.geometry().kv_heads);
  const std::int32_t head_dim = record.geometry().head_dim;
  metadata["head_dim"] = head_dim > 0 ? std::to_string(head_dim) : "";  // a trace need not say it
  metadata["cache_dtype"] = dtype_name(record.geometry().dtype);
  metadata["has_scores"] = record.has_scores() ? "true" : "false";
  metadata["window"] = record.window() ? std::to_string(*record.window()) : "";
  metadata["prompt_tokens"] = std::to_string(value.prompt_tokens);
  metadata["max_new_tokens"] = std::to_string(value.max_new_tokens);
  session::add_sampling(metadata, value.sampling);
  metadata["sampling_seed"] = std::to_string(value.sampling.seed);
  if (value.is_chat_turn) metadata["chat_turn"] = "true";
  if (!value.knows_drops) metadata["knows_drops"] = "false";
  if (value.follow_ups) {
    std::string& spans = metadata["follow_ups"];
    for (const TokenSpan& span : *value.follow_ups)
      spans += (spans.empty() ? "" : ",") + std::to_string(span.first) + "-" + std::to_string(span.end);
  }
  if (value.view) {
    metadata["view_layer"] = std::to_string(value.view->layer.value);
    metadata["view_head"] = std::to_string(value.view->head.value);
    const auto& pinned = value.view->pinned;
    std::string list;
    for (std::size_t i = pinned.size() - std::min(pinned.size(), most_pinned); i < pinned.size(); ++i)
      list += (list.empty() ? "" : ",") + std::to_string(pinned[i].value);
    metadata["view_pinned"] = list;
    if (value.view->query) metadata["view_query"] = std::to_string(value.view->query->value);
  }
  return metadata;
}

void add_session(Tensors& tensors, const Session& value) {
  add_trace_tensors(tensors, value.record);
  add_columns(tensors, value.record);
  add_lists(tensors, value);
  tensors.add_text(session::prompt_bytes, value.prompt);
  tensors.add_text(session::model_path_bytes, value.model_path);
  tensors.add_text(session::adapter_path_bytes, value.adapter_path);
}

}  // namespace

Expected<void> write_session(const std::filesystem::path& path, const Session& value) try {
  Tensors tensors;
  add_session(tensors, value);
  Metadata metadata = metadata_of(value);
  if (value.kept) {
    tensors.set_prefix(session::kept_prefix);
    add_session(tensors, *value.kept);
    for (const auto& [key, text] : metadata_of(*value.kept)) metadata[session::kept_prefix + key] = text;
  }
  return write_safetensors(path, tensors.all(), metadata);
} catch (const std::bad_alloc&) {
  return fail(ErrorCode::out_of_memory, "no memory to write a session of this size");
}

}  // namespace natscope
