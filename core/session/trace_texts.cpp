// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/trace_texts.h"

#include <nlohmann/json.hpp>

#include "core/json/json_limits.h"
#include "core/session/metadata_reader.h"

namespace natscope::session {
namespace {

constexpr char texts_key[] = "token_texts";
constexpr char names_key[] = "token_names";
constexpr std::size_t most_bytes = std::size_t{16} << 20U;

std::string dumped(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Expected<nlohmann::json> parsed(const Metadata& metadata, const char* key, std::size_t most_values) {
  auto value = parse_json(metadata.find(key)->second, {most_bytes, 1, most_values}, key);
  if (!value) return fail(ErrorCode::bad_trace, "the metadata's " + value.error().message);
  return value;
}

Unexpected no_texts(const char* key, const std::string& what) {
  return fail(ErrorCode::bad_trace, "the metadata's “" + std::string(key) + "” is not " + what);
}

}  // namespace

void add_token_texts(Metadata& metadata, const SequenceRecord& record, const TokenNames& name_of) {
  nlohmann::json texts = nlohmann::json::array();
  nlohmann::json names = nlohmann::json::object();
  for (const TokenFrame& frame : record.frames()) {
    texts.push_back(frame.text);
    if (frame.text.empty() && name_of) names[std::to_string(frame.token)] = name_of(frame.token);
  }
  std::string list = dumped(texts);
  std::string named = dumped(names);
  if (list.size() > most_bytes || named.size() > most_bytes) return;
  metadata[texts_key] = std::move(list);
  metadata[names_key] = std::move(named);
}

Expected<TokenTexts> read_token_texts(const Metadata& metadata, std::int64_t tokens) {
  TokenTexts read;
  if (!metadata.contains(texts_key)) return read;
  const auto count = static_cast<std::size_t>(tokens);
  NATSCOPE_TRY(const auto texts, parsed(metadata, texts_key, count + 1));
  if (!texts.is_array() || texts.size() != count) return no_texts(texts_key, "a list of one text a token");
  for (const auto& text : texts) {
    if (!text.is_string()) return no_texts(texts_key, "a list of one text a token");
    read.texts.push_back(text.get<std::string>());
  }
  if (!metadata.contains(names_key)) return read;
  NATSCOPE_TRY(const auto names, parsed(metadata, names_key, count + 1));
  if (!names.is_object()) return no_texts(names_key, "an object of names by token ids");
  for (const auto& [id, name] : names.items()) {
    const auto token = number_in<std::int32_t>(id);
    if (!token || *token < 0 || !name.is_string()) return no_texts(names_key, "an object of names by token ids");
    read.names[*token] = name.get<std::string>();
  }
  return read;
}

}  // namespace natscope::session
