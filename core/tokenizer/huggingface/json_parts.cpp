// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/json_parts.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace natscope {
namespace {

constexpr int deepest_sequence = 8;

const nlohmann::json* member(const nlohmann::json& json, const char* key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

Unexpected missing(const char* key, const char* wanted) {
  return fail(ErrorCode::bad_tokenizer, "\"" + std::string(key) + "\" is no " + wanted);
}

}  // namespace

Expected<std::string> type_of(const nlohmann::json& json, const char* what) {
  const nlohmann::json* const type = member(json, "type");
  if (type == nullptr || !type->is_string())
    return fail(ErrorCode::bad_tokenizer, std::string("a ") + what + " has no \"type\"");
  return type->get<std::string>();
}

Expected<std::string> text_of(const nlohmann::json& json, const char* key) {
  const nlohmann::json* const text = member(json, key);
  if (text == nullptr || !text->is_string()) return missing(key, "text");
  return text->get<std::string>();
}

Expected<bool> flag_of(const nlohmann::json& json, const char* key, bool otherwise) {
  const nlohmann::json* const flag = member(json, key);
  if (flag == nullptr || flag->is_null()) return otherwise;
  if (!flag->is_boolean()) return missing(key, "true or false");
  return flag->get<bool>();
}

Expected<const nlohmann::json*> sequence_of(const nlohmann::json& json, const char* key, int depth) {
  const nlohmann::json* const parts = member(json, key);
  if (parts == nullptr || !parts->is_array()) return missing(key, "list");
  if (depth >= deepest_sequence) return fail(ErrorCode::bad_tokenizer, "sequences inside sequences, too deep");
  return parts;
}

Expected<std::string> literal_of(const nlohmann::json& json) {
  const nlohmann::json* const pattern = member(json, "pattern");
  if (pattern == nullptr || !pattern->is_object()) return missing("pattern", "object");
  if (member(*pattern, "Regex") != nullptr) return not_done("Replace", "with a pattern");
  NATSCOPE_TRY(std::string text, text_of(*pattern, "String"));
  if (text.empty()) return fail(ErrorCode::bad_tokenizer, "a Replace of nothing");
  return text;
}

bool is_piece_id(const nlohmann::json& id, std::size_t pieces) {
  return id.is_number_unsigned() && id.get<std::uint64_t>() < std::min<std::uint64_t>(2 * pieces + 4096, 1U << 24U);
}

Unexpected too_many_parts(const char* what) {
  return fail(ErrorCode::bad_tokenizer, std::string(what) + " has more than " + std::to_string(most_parts) + " parts");
}

Unexpected not_done(const char* what, std::string_view which) {
  return fail(ErrorCode::unsupported_tokenizer,
              std::string(what) + " " + printable(which) + " is not done here, and tokens would be others without it");
}

}  // namespace natscope
