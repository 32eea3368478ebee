// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/protobuf_reader.h"

namespace natscope {

std::optional<std::uint64_t> ProtobufReader::varint() {
  constexpr unsigned longest = 10;
  std::uint64_t value = 0;
  for (unsigned i = 0; i < longest && i < rest_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    // The tenth byte has room for one bit of a 64-bit value.
    if (i == longest - 1 && byte > 1) return std::nullopt;
    value |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ProtobufReader::fixed(std::size_t size) {
  if (rest_.size() < size) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8U | static_cast<unsigned char>(rest_[i]);
  rest_.remove_prefix(size);
  return value;
}

std::optional<ProtobufField> ProtobufReader::next() {
  if (broken_ || rest_.empty()) return std::nullopt;
  const std::string_view before = rest_;
  broken_ = true;  // until the field is whole
  const auto tag = varint();
  if (!tag || *tag >> 3U == 0 || *tag >> 3U > 0x1FFFFFFF) return std::nullopt;

  ProtobufField field;
  field.number = static_cast<std::uint32_t>(*tag >> 3U);
  std::optional<std::uint64_t> value;
  switch (*tag & 7U) {
    case 0:
      field.wire = ProtobufField::Wire::varint;
      value = varint();
      break;
    case 1:
      field.wire = ProtobufField::Wire::fixed64;
      value = fixed(8);
      break;
    case 2:
      field.wire = ProtobufField::Wire::bytes;
      value = varint();
      if (value && *value > rest_.size()) value.reset();
      if (value) {
        field.bytes = rest_.substr(0, *value);
        rest_.remove_prefix(*value);
      }
      break;
    case 5:
      field.wire = ProtobufField::Wire::fixed32;
      value = fixed(4);
      break;
    default:
      break;
  }
  if (!value) return std::nullopt;
  field.value = *value;
  field.whole = before.substr(0, before.size() - rest_.size());
  broken_ = false;
  return field;
}

}  // namespace natscope
