// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/expected.h"

/// Reading and writing a message's fields. Private to core/protocol.
namespace natscope::protocol {

/// Reads fields of one map and remembers the first thing that is wrong, so that a message reads as a list of its
/// fields:
///
///   FieldReader in(map, "tile_request");
///   request.zoom = in.int32("zoom", 0, 31);
///   NATSCOPE_CHECK(in.result());
///
/// After an error every getter returns a value of its type that means nothing.
class FieldReader {
 public:
  FieldReader(const nlohmann::json& map, std::string type);

  [[nodiscard]] bool has(const char* field) const;  ///< there, and not null

  std::int64_t int64(const char* field, std::int64_t low, std::int64_t high);
  std::int32_t int32(const char* field, std::int32_t low, std::int32_t high);
  std::uint64_t uint64(const char* field);
  double number(const char* field);  ///< finite
  bool boolean(const char* field);
  std::string text(const char* field);
  std::vector<std::string> texts(const char* field, std::size_t max_count);

  /// A byte string of whole numbers or floats, little-endian, of exactly `count` elements.
  template <class T>
  std::vector<T> array(const char* field, std::size_t count) {
    const std::vector<std::uint8_t>* bytes = byte_string(field);
    if (bytes == nullptr) return {};
    if (bytes->size() % sizeof(T) != 0 || bytes->size() / sizeof(T) != count) {
      fail_field(field, "has " + std::to_string(bytes->size()) + " bytes where " + std::to_string(count) +
                            " elements of " + std::to_string(sizeof(T)) + " bytes are needed");
      return {};
    }
    return elements<T>(*bytes);
  }

  /// The same with as many elements as there are.
  template <class T>
  std::vector<T> array(const char* field) {
    const std::vector<std::uint8_t>* bytes = byte_string(field);
    if (bytes == nullptr) return {};
    if (bytes->size() % sizeof(T) != 0) {
      fail_field(field, "ends inside an element");
      return {};
    }
    return elements<T>(*bytes);
  }

  void fail_field(const char* field, const std::string& what);

  [[nodiscard]] bool ok() const { return !error_; }
  [[nodiscard]] Expected<void> result() const;
  [[nodiscard]] const nlohmann::json* find(const char* field);  ///< nullptr, and an error, when it is missing
  [[nodiscard]] const std::string& type() const { return type_; }

 private:
  const std::vector<std::uint8_t>* byte_string(const char* field);

  template <class T>
  static std::vector<T> elements(const std::vector<std::uint8_t>& bytes) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  const nlohmann::json& map_;
  std::string type_;
  std::optional<Error> error_;
};

/// A byte string of the elements as they lie in memory (every machine this runs on is little-endian).
template <class T>
[[nodiscard]] nlohmann::json bytes_of(std::span<const T> values) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<std::uint8_t> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return nlohmann::json::binary(std::move(bytes));
}

template <class T>
[[nodiscard]] nlohmann::json bytes_of(const std::vector<T>& values) {
  return bytes_of(std::span<const T>(values));
}

}  // namespace natscope::protocol
