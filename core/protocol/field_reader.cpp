// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/field_reader.h"

#include <bit>
#include <cmath>

static_assert(std::endian::native == std::endian::little, "byte strings of the protocol are little-endian");

namespace natscope::protocol {

FieldReader::FieldReader(const nlohmann::json& map, std::string type) : map_(map), type_(std::move(type)) {
  if (!map_.is_object()) error_ = make_error(ErrorCode::protocol_error, "a part of “" + type_ + "” is no map");
}

bool FieldReader::has(const char* field) const {
  if (!map_.is_object()) return false;
  const auto found = map_.find(field);
  return found != map_.end() && !found->is_null();
}

void FieldReader::fail_field(const char* field, const std::string& what) {
  if (error_) return;
  error_ = make_error(ErrorCode::protocol_error, "message “" + type_ + "”, field “" + field + "” " + what);
}

const nlohmann::json* FieldReader::find(const char* field) {
  if (error_) return nullptr;
  const auto found = map_.find(field);
  if (found == map_.end()) {
    fail_field(field, "is missing");
    return nullptr;
  }
  return &*found;
}

Expected<void> FieldReader::result() const {
  if (error_) return Unexpected(*error_);
  return {};
}

std::int64_t FieldReader::int64(const char* field, std::int64_t low, std::int64_t high) {
  const nlohmann::json* value = find(field);
  if (value == nullptr) return low;
  const bool fits =
      value->is_number_unsigned()
          ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
          : value->is_number_integer();
  if (!fits) {
    fail_field(field, "is not a whole number");
    return low;
  }
  const auto number = value->get<std::int64_t>();
  if (number < low || number > high) {
    fail_field(field,
               "is " + std::to_string(number) + ", outside " + std::to_string(low) + " … " + std::to_string(high));
    return low;
  }
  return number;
}

std::int32_t FieldReader::int32(const char* field, std::int32_t low, std::int32_t high) {
  return static_cast<std::int32_t>(int64(field, low, high));
}

std::uint64_t FieldReader::uint64(const char* field) {
  const nlohmann::json* value = find(field);
  if (value == nullptr) return 0;
  if (!value->is_number_unsigned()) {
    fail_field(field, "is not a whole number from 0");
    return 0;
  }
  return value->get<std::uint64_t>();
}

double FieldReader::number(const char* field) {
  const nlohmann::json* value = find(field);
  if (value == nullptr) return 0;
  if (!value->is_number() || !std::isfinite(value->get<double>())) {
    fail_field(field, "is not a finite number");
    return 0;
  }
  return value->get<double>();
}

bool FieldReader::boolean(const char* field) {
  const nlohmann::json* value = find(field);
  if (value == nullptr) return false;
  if (!value->is_boolean()) {
    fail_field(field, "is neither true nor false");
    return false;
  }
  return value->get<bool>();
}

std::string FieldReader::text(const char* field) {
  const nlohmann::json* value = find(field);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    fail_field(field, "is not text");
    return {};
  }
  return value->get<std::string>();
}

std::vector<std::string> FieldReader::texts(const char* field, std::size_t max_count) {
  const nlohmann::json* value = find(field);
  if (value == nullptr) return {};
  if (!value->is_array() || value->size() > max_count) {
    fail_field(field, "is not a list of at most " + std::to_string(max_count) + " texts");
    return {};
  }
  std::vector<std::string> texts;
  texts.reserve(value->size());
  for (const auto& element : *value) {
    if (!element.is_string()) {
      fail_field(field, "holds something that is not text");
      return {};
    }
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

const std::vector<std::uint8_t>* FieldReader::byte_string(const char* field) {
  const nlohmann::json* value = find(field);
  if (value == nullptr) return nullptr;
  if (!value->is_binary()) {
    fail_field(field, "is not a byte string");
    return nullptr;
  }
  return &value->get_binary();
}

}  // namespace natscope::protocol
