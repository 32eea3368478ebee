// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"

#include <array>
#include <cstdio>

#include "core/base/utf8.h"

namespace natscope {
namespace {

constexpr int defect = 1;
constexpr int wrong_usage = 2;
constexpr int bad_input = 3;
constexpr int no_memory = 4;
constexpr int was_interrupted = 5;

struct Row {
  ErrorCode code;
  const char* name;
  int exit_code;
  const char* hint;
};

constexpr auto table = std::to_array<Row>({
    {ErrorCode::internal, "internal", defect, "this is a defect of NAtScope, please report it"},
    {ErrorCode::usage, "usage", wrong_usage, "see --help"},
    {ErrorCode::io_failure, "io-failure", bad_input, "check the path, its permissions and the disk"},
    {ErrorCode::file_not_found, "file-not-found", bad_input, "check the path"},
    {ErrorCode::not_a_regular_file, "not-a-regular-file", bad_input, "give the path of a plain file"},
    {ErrorCode::not_a_folder, "not-a-folder", bad_input, "give the path of a folder"},
    {ErrorCode::file_too_large, "file-too-large", bad_input, "check that this is the file you meant"},
    {ErrorCode::disk_full, "disk-full", bad_input, "free some space or write elsewhere"},
    {ErrorCode::bad_safetensors, "bad-safetensors", bad_input, "download or export the file again"},
    {ErrorCode::bad_json, "bad-json", bad_input, "correct the file or download it again"},
    {ErrorCode::bad_config, "bad-config", bad_input, "correct config.json or download it again"},
    {ErrorCode::unsupported_model, "unsupported-model", bad_input,
     "use a Llama, Mistral, Phi-3, Qwen2, Qwen3, SmolLM3 or Granite model without this setting"},
    {ErrorCode::missing_weights, "missing-weights", bad_input, "put the model's *.safetensors files into the folder"},
    {ErrorCode::missing_tensor, "missing-tensor", bad_input, "check that weights and config.json belong together"},
    {ErrorCode::unexpected_tensor, "unexpected-tensor", bad_input,
     "check that weights and config.json belong together"},
    {ErrorCode::bad_tensor_shape, "bad-tensor-shape", bad_input, "check that weights and config.json belong together"},
    {ErrorCode::bad_tensor_dtype, "bad-tensor-dtype", bad_input, "convert the weights to float32, bfloat16 or float16"},
    {ErrorCode::bad_index, "bad-index", bad_input, "download model.safetensors.index.json and its shards again"},
    {ErrorCode::bad_generation_config, "bad-generation-config", bad_input, "correct or remove generation_config.json"},
    {ErrorCode::bad_adapter, "bad-adapter", bad_input, "check that the adapter belongs to this base model"},
    {ErrorCode::missing_tokenizer, "missing-tokenizer", bad_input,
     "put the model's tokenizer.model or tokenizer.json into the folder"},
    {ErrorCode::unsupported_tokenizer, "unsupported-tokenizer", bad_input,
     "put the model's sentencepiece tokenizer.model into the folder, where there is one"},
    {ErrorCode::bad_tokenizer, "bad-tokenizer", bad_input, "download the model's tokenizer again"},
    {ErrorCode::bad_text, "bad-text", bad_input, "give some text in UTF-8"},
    {ErrorCode::prompt_too_long, "prompt-too-long", bad_input, "shorten the prompt"},
    {ErrorCode::bad_token_id, "bad-token-id", bad_input, "give ids below the model's vocabulary size"},
    {ErrorCode::bad_roles, "bad-roles", bad_input, "give roles U8 [layers, kv_heads, T] of 0, 1 or 2"},
    {ErrorCode::bad_layer, "bad-layer", bad_input, "natscope-cli info shows the model's layers"},
    {ErrorCode::bad_head, "bad-head", bad_input, "natscope-cli info shows the model's heads"},
    {ErrorCode::bad_position, "bad-position", bad_input, "positions count from 0 to the number of tokens less one"},
    {ErrorCode::bad_range, "bad-range", bad_input, "give a range a:b with a < b inside the text"},
    {ErrorCode::bad_trace, "bad-trace", bad_input, "write the trace again with natscope-cli trace"},
    {ErrorCode::bad_session, "bad-session", bad_input, "save the session again"},
    {ErrorCode::bad_policy, "bad-policy", bad_input, "natscope-cli eval --help names the policies"},
    {ErrorCode::bad_arrays, "bad-arrays", bad_input, "natscope-cli kernel --list shows what an operation takes"},
    {ErrorCode::bad_checkpoint, "bad-checkpoint", bad_input, "resume from an older checkpoint"},
    {ErrorCode::bad_job, "bad-job", bad_input, "check the job folder or start a new job"},
    {ErrorCode::bad_data, "bad-data", bad_input, "give folders or files of plain UTF-8 text"},
    {ErrorCode::protocol_error, "protocol-error", bad_input, "use a window and an engine of the same version"},
    {ErrorCode::engine_lost, "engine-lost", defect, "start the engine again"},
    {ErrorCode::device_unavailable, "device-unavailable", bad_input, "use --device cpu"},
    {ErrorCode::out_of_memory, "out-of-memory", no_memory, "use a smaller model, a shorter text or --dtype bfloat16"},
    {ErrorCode::interrupted, "interrupted", was_interrupted, "run it again to finish"},
});

constexpr bool in_enum_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].code) != i) return false;
  }
  return true;
}
static_assert(in_enum_order(), "rows of the table stand in the order of the enum");
static_assert(table.size() == static_cast<std::size_t>(ErrorCode::interrupted) + 1, "every code has a row");

const Row& row(ErrorCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < table.size() ? table[index] : table[0];
}

/// Whether a character would change how the rest of a line is shown: C0, DEL, C1, line separators, bidirectional marks,
/// and what is no character at all.
bool is_unprintable(unsigned long point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F) || point == 0x2028 || point == 0x2029 ||
         (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF ||
         point == 0xFFFE || point == 0xFFFF;
}

void append_escaped(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) {
    switch (byte) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default: {
        std::array<char, 5> text{};
        std::snprintf(text.data(), text.size(), "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(byte)));
        out += text.data();
      }
    }
  }
}

unsigned long code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned long>(static_cast<unsigned char>(character[i])); };
  switch (character.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3:
      return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
  }
}

}  // namespace

Error make_error(ErrorCode code, std::string message, std::string hint) {
  return {code, std::move(message), hint.empty() ? row(code).hint : std::move(hint)};
}

const char* name(ErrorCode code) { return row(code).name; }

int exit_code(ErrorCode code) { return row(code).exit_code; }

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (out.size() >= max_bytes) {
      out += "…";
      break;
    }
    const std::size_t length = utf8_character_length(text.substr(at));
    const std::string_view part = text.substr(at, length == 0 ? 1 : length);
    if (length == 0 || is_unprintable(code_point(part))) {
      append_escaped(out, part);
    } else {
      out += part;
    }
    at += part.size();
  }
  return out;
}

std::string format_error_line(const Error& error) {
  constexpr std::size_t max_message_bytes = 1000;
  std::string line = "error: ";
  line += name(error.code);
  line += ": ";
  line += printable(error.message, max_message_bytes);
  line += "; ";
  line += printable(error.hint.empty() ? row(error.code).hint : error.hint, max_message_bytes);
  return line;
}

}  // namespace natscope
