// SPDX-License-Identifier: GPL-3.0-or-later
#include <limits>

#include "core/protocol/codec.h"

/// What an engine answers, frames and the model's description apart.
namespace natscope::protocol {
namespace {

constexpr const char* phase_names[] = {"opening", "prefill", "replay"};

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The code by its name on the wire, which is its name on the command line.
ErrorCode read_code(FieldReader& in) {
  const std::string text = in.text("code");
  for (int code = 0; code <= static_cast<int>(ErrorCode::interrupted); ++code) {
    if (text == name(static_cast<ErrorCode>(code))) return static_cast<ErrorCode>(code);
  }
  in.fail_field("code", "is “" + printable(text, 40) + "”, which is not an error code");
  return ErrorCode::internal;
}

}  // namespace

void write_tile_key(nlohmann::json& out, const TileKey& key) {
  out["layer"] = key.layer.value;
  out["head"] = key.head.value;
  out["zoom"] = key.zoom;
  out["row"] = key.row;
  out["column"] = key.column;
}

TileKey read_tile_key(FieldReader& in) {
  TileKey key;
  key.layer = LayerId(in.int32("layer", 0, max_layers));
  key.head = HeadId(in.int32("head", 0, max_heads));
  key.zoom = in.int32("zoom", 0, largest_zoom);
  // The first cell's position must stay a position: row · 256 · 2^zoom.
  const auto last = static_cast<std::int32_t>(max_tokens / tile_cells >> key.zoom);
  key.row = in.int32("row", 0, last);
  key.column = in.int32("column", 0, last);
  return key;
}

void write_optional_int(nlohmann::json& out, const char* field, const std::optional<std::int64_t>& value) {
  if (value) out[field] = *value;
}

std::optional<std::int64_t> read_optional_int(FieldReader& in, const char* field, std::int64_t low, std::int64_t high) {
  if (!in.has(field)) return std::nullopt;
  return in.int64(field, low, high);
}

std::vector<Role> read_roles(FieldReader& in, const char* field, std::size_t count) {
  auto roles = in.array<Role>(field, count);
  for (const Role role : roles) {
    if (static_cast<int>(role) >= role_count) {
      in.fail_field(field, "holds a role over 2");
      return {};
    }
  }
  return roles;
}

void write(nlohmann::json& out, const IdentityMessage& message) { out["sha256"] = message.sha256; }

void read(FieldReader& in, IdentityMessage& message) {
  message.sha256 = in.text("sha256");
  if (!is_digest(message.sha256)) in.fail_field("sha256", "is not a SHA-256");
}

void write(nlohmann::json& out, const ProgressMessage& message) {
  out["phase"] = phase_names[static_cast<std::size_t>(message.phase)];
  out["done"] = message.done;
  out["total"] = message.total;
  out["seconds"] = message.seconds;
}

void read(FieldReader& in, ProgressMessage& message) {
  message.phase = read_enum<ProgressPhase>(in, "phase", phase_names);
  message.total = in.int64("total", 0, std::numeric_limits<std::int64_t>::max());
  message.done = in.int64("done", 0, message.total);
  message.seconds = in.number("seconds");
}

void write(nlohmann::json& out, const StartedMessage& message) {
  out["layers"] = message.geometry.layers;
  out["kv_heads"] = message.geometry.kv_heads;
  out["head_dim"] = message.geometry.head_dim;
  out["dtype"] = dtype_name(message.geometry.dtype);
  out["has_scores"] = message.has_scores;
  write_optional_int(out, "window", message.window);
  out["policy"] = message.policy;
  out["prompt_tokens"] = message.prompt_tokens;
  if (message.prompt_bytes) out["prompt_bytes"] = *message.prompt_bytes;
}

void read(FieldReader& in, StartedMessage& message) {
  message.geometry.layers = in.int32("layers", 1, max_layers);
  message.geometry.kv_heads = in.int32("kv_heads", 1, max_heads);
  message.geometry.head_dim = in.int32("head_dim", 1, 65536);
  if (std::int64_t{message.geometry.layers} * message.geometry.kv_heads > max_head_pairs) {
    in.fail_field("kv_heads", "times the layers is more than any model has");
  }
  message.geometry.dtype = read_dtype(in);
  message.has_scores = in.boolean("has_scores");
  message.window = read_optional_int(in, "window", 0, max_window);
  message.policy = in.text("policy");
  message.prompt_tokens = in.int64("prompt_tokens", 0, max_tokens);
  if (in.has("prompt_bytes"))
    message.prompt_bytes = in.int64("prompt_bytes", 0, std::numeric_limits<std::int64_t>::max());
}

void write(nlohmann::json& out, const ReadyMessage& message) {
  out["tokens"] = message.tokens;
  out["prefill_s"] = message.prefill_s;
  if (!message.note.empty()) out["note"] = message.note;
}

void read(FieldReader& in, ReadyMessage& message) {
  message.tokens = in.int64("tokens", 0, max_tokens);
  message.prefill_s = in.number("prefill_s");
  if (in.has("note")) message.note = in.text("note");
}

void write(nlohmann::json& out, const FinishedMessage& message) {
  out["reason"] = name(message.reason);
  out["generated"] = message.generated;
  out["text"] = message.text;
  out["decode_s"] = message.decode_s;
}

void read(FieldReader& in, FinishedMessage& message) {
  message.reason = read_enum<StopReason>(in, "reason", stop_reason_names);
  message.generated = in.int64("generated", 0, max_tokens);
  message.text = in.text("text");
  message.decode_s = in.number("decode_s");
}

void write(nlohmann::json& out, const TileMessage& message) {
  const AttentionTile& tile = message.tile;
  write_tile_key(out, tile.key);
  out["tokens"] = tile.tokens;
  out["rows"] = tile.rows;
  out["columns"] = tile.columns;
  out["maximum"] = bytes_of(tile.maximum);
  out["mean"] = bytes_of(tile.mean);
  out["visible_share"] = bytes_of(tile.visible_share);
  if (tile.compared_run != 0) out["compared_run"] = tile.compared_run;
  if (!tile.summary) return;
  out["queries"] = tile.summary->queries;
  out["entropy"] = tile.summary->entropy;
  out["sink_weight"] = tile.summary->sink_weight;
  out["self_weight"] = tile.summary->self_weight;
  out["distance"] = tile.summary->distance;
  out["compared_queries"] = tile.summary->compared_queries;
  out["lost"] = tile.summary->lost;
}

void read(FieldReader& in, TileMessage& message) {
  AttentionTile& tile = message.tile;
  tile.key = read_tile_key(in);
  tile.tokens = in.int64("tokens", 0, max_tokens);
  tile.rows = in.int32("rows", 0, tile_cells);
  tile.columns = in.int32("columns", 0, tile_cells);
  const auto cells = static_cast<std::size_t>(tile.rows) * static_cast<std::size_t>(tile.columns);
  tile.maximum = in.array<float>("maximum", cells);
  tile.mean = in.array<float>("mean", cells);
  tile.visible_share = in.array<float>("visible_share", cells);
  if (in.has("compared_run")) tile.compared_run = in.uint64("compared_run");
  if (!in.has("queries")) return;
  AttentionSummary& summary = tile.summary.emplace();
  summary.queries = in.int64("queries", 0, max_tokens);
  summary.entropy = in.number("entropy");
  summary.sink_weight = in.number("sink_weight");
  summary.self_weight = in.number("self_weight");
  summary.distance = in.number("distance");
  summary.compared_queries = in.int64("compared_queries", 0, summary.queries);
  summary.lost = in.number("lost");
}

void write(nlohmann::json& out, const WeightsMessage& message) {
  write(out, message.request);
  out["weights"] = bytes_of(message.weights);
  out["visible"] = bytes_of(message.visible);
}

void read(FieldReader& in, WeightsMessage& message) {
  read(in, message.request);
  if (!in.ok()) return;
  const auto cells = static_cast<std::size_t>(message.request.queries) * static_cast<std::size_t>(message.request.keys);
  message.weights = in.array<float>("weights", cells);
  message.visible = in.array<std::uint8_t>("visible", cells);
}

void write(nlohmann::json& out, const ChatPromptMessage& message) {
  out["prompt"] = message.prompt;
  if (!message.note.empty()) out["note"] = message.note;
}

void read(FieldReader& in, ChatPromptMessage& message) {
  message.prompt = in.text("prompt");
  if (in.has("note")) message.note = in.text("note");
}

void write(nlohmann::json& out, const ErrorMessage& message) {
  // Messages quote files and paths, which need not be UTF-8.
  out["code"] = name(message.error.code);
  out["message"] = printable(message.error.message, 4000);
  out["hint"] = printable(message.error.hint, 4000);
  if (message.stands) out["stands"] = true;
}

void read(FieldReader& in, ErrorMessage& message) {
  message.error.code = read_code(in);
  message.error.message = in.text("message");
  message.error.hint = in.text("hint");
  if (in.has("stands")) message.stands = in.boolean("stands");
}

}  // namespace natscope::protocol
