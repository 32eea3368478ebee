// SPDX-License-Identifier: GPL-3.0-or-later
/// Walks the fields of a serialized protobuf message, bounds-checked. Private to core/io.
///
/// Only what checking a sentencepiece model takes: proto2 scalar and length-delimited fields; groups are refused.
/// Source: protobuf.dev/programming-guides/encoding.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace natscope {

struct ProtobufField {
  std::uint32_t number = 0;
  enum class Wire { varint, fixed64, bytes, fixed32 } wire = Wire::varint;
  std::uint64_t value = 0;  ///< varint and fixed fields
  std::string_view whole;   ///< tag, length and value, as they stand in the message
  std::string_view bytes;   ///< length-delimited fields; points into the message
};

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) : rest_(message) {}

  /// The next field; nothing at the end or when the rest is broken: ask broken() then.
  [[nodiscard]] std::optional<ProtobufField> next();
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  std::optional<std::uint64_t> varint();
  std::optional<std::uint64_t> fixed(std::size_t size);

  std::string_view rest_;
  bool broken_ = false;
};

}  // namespace natscope
