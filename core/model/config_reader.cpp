// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/config_reader.h"

#include <nlohmann/json.hpp>

namespace natscope {
namespace {

using Json = nlohmann::json;

std::string range_text(double min, double max) {
  // Json prints 4 as "4.0" and 1e-06 as "1e-06": good enough for people.
  return Json(min).dump() + " … " + Json(max).dump();
}

bool is_integer_within(const Json& value, int min, int max) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    return number <= static_cast<std::uint64_t>(INT32_MAX) && static_cast<int>(number) >= min &&
           static_cast<int>(number) <= max;
  }
  if (!value.is_number_integer()) return false;
  const auto number = value.get<std::int64_t>();
  return number >= min && number <= max;
}

}  // namespace

ConfigReader::ConfigReader(const Json& object, ErrorCode code, std::string what)
    : object_(object), code_(code), what_(std::move(what)) {}

Unexpected ConfigReader::refuse(std::string_view key, const std::string& why) const {
  return fail(code_, what_ + ": " + std::string(key) + " " + why);
}

bool ConfigReader::mentions(std::string_view key) const {
  return object_.is_object() && object_.contains(std::string(key));
}

const Json* ConfigReader::find(std::string_view key) const {
  if (!object_.is_object()) return nullptr;
  const auto place = object_.find(std::string(key));
  return place == object_.end() || place->is_null() ? nullptr : &*place;
}

Expected<int> ConfigReader::integer(std::string_view key, int min, int max) const {
  const Json* const value = find(key);
  if (value == nullptr) return refuse(key, "is missing");
  if (!is_integer_within(*value, min, max)) {
    return refuse(key, "must be an integer, " + std::to_string(min) + " … " + std::to_string(max) + ", not " +
                           printable(value->dump(-1, ' ', true, Json::error_handler_t::replace), 60));
  }
  return value->get<int>();
}

Expected<int> ConfigReader::integer_or(std::string_view key, int fallback, int min, int max) const {
  if (!has(key)) return fallback;
  return integer(key, min, max);
}

Expected<double> ConfigReader::number(std::string_view key, double min, double max) const {
  const Json* const value = find(key);
  if (value == nullptr) return refuse(key, "is missing");
  if (!value->is_number()) return refuse(key, "must be a number");
  const auto number = value->get<double>();
  // Written so that a NaN is refused too.
  if (!(number >= min && number <= max)) {
    return refuse(key, "must be within " + range_text(min, max) + ", not " + value->dump());
  }
  return number;
}

Expected<double> ConfigReader::number_or(std::string_view key, double fallback, double min, double max) const {
  if (!has(key)) return fallback;
  return number(key, min, max);
}

Expected<bool> ConfigReader::boolean_or(std::string_view key, bool fallback) const {
  const Json* const value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return refuse(key, "must be true or false");
  return value->get<bool>();
}

Expected<std::string> ConfigReader::text(std::string_view key) const {
  const Json* const value = find(key);
  if (value == nullptr) return refuse(key, "is missing");
  if (!value->is_string()) return refuse(key, "must be a string");
  return value->get<std::string>();
}

Expected<std::string> ConfigReader::text_or(std::string_view key, std::string fallback) const {
  if (!has(key)) return fallback;
  return text(key);
}

Expected<std::vector<std::string>> ConfigReader::texts_or_none(std::string_view key) const {
  std::vector<std::string> result;
  const Json* const value = find(key);
  if (value == nullptr) return result;
  if (!value->is_array()) return refuse(key, "must be a list of strings");
  for (const Json& item : *value) {
    if (!item.is_string()) return refuse(key, "must be a list of strings");
    result.push_back(item.get<std::string>());
  }
  return result;
}

Expected<std::vector<std::int32_t>> ConfigReader::integers_or_none(std::string_view key, int min, int max) const {
  std::vector<std::int32_t> result;
  const Json* const value = find(key);
  if (value == nullptr) return result;
  const auto add = [&](const Json& item) {
    if (!is_integer_within(item, min, max)) return false;
    result.push_back(item.get<std::int32_t>());
    return true;
  };
  bool all_fit = true;
  if (value->is_array()) {
    for (const Json& item : *value) all_fit = all_fit && add(item);
  } else {
    all_fit = add(*value);
  }
  if (!all_fit) {
    return refuse(key,
                  "must be an integer or a list of integers, " + std::to_string(min) + " … " + std::to_string(max));
  }
  return result;
}

}  // namespace natscope
