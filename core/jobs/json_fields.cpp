// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/json_fields.h"

namespace natscope::jobs {

const nlohmann::json* JsonFields::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void JsonFields::refuse(const char* key) {
  if (wrong_.empty()) wrong_ = key;
}

std::optional<std::int64_t> JsonFields::optional_count(const char* key) {
  const nlohmann::json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_integer() && *value >= 0 && *value <= std::int64_t{1} << 53) return value->get<std::int64_t>();
  refuse(key);
  return std::nullopt;
}

std::int64_t JsonFields::count(const char* key) {
  const auto value = optional_count(key);
  if (!value) refuse(key);
  return value.value_or(0);
}

std::optional<double> JsonFields::optional_number(const char* key) {
  const nlohmann::json* const value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->get<double>();
  refuse(key);
  return std::nullopt;
}

double JsonFields::number(const char* key) {
  const auto value = optional_number(key);
  if (!value) refuse(key);
  return value.value_or(0.0);
}

std::string JsonFields::text(const char* key, std::size_t max_bytes) {
  const nlohmann::json* const value = find(key);
  if (value == nullptr) return {};
  if (value->is_string() && value->get_ref<const std::string&>().size() <= max_bytes) return value->get<std::string>();
  refuse(key);
  return {};
}

}  // namespace natscope::jobs
