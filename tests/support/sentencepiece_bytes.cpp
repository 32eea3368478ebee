// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/sentencepiece_bytes.h"

#include <bit>

namespace natscope::test {
namespace {

std::string varint(std::uint64_t value) {
  std::string bytes;
  while (value >= 0x80) {
    bytes += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  return bytes + static_cast<char>(value);
}

}  // namespace

std::string proto_varint(std::uint32_t field, std::uint64_t value) { return varint(field << 3U) + varint(value); }

std::string proto_float(std::uint32_t field, float value) {
  std::string bytes = varint(field << 3U | 5U);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift);
  return bytes;
}

std::string proto_bytes(std::uint32_t field, std::string_view bytes) {
  return varint(field << 3U | 2U) + varint(bytes.size()) + std::string(bytes);
}

std::string proto_piece(std::string_view text, float score, PieceType type) {
  return proto_bytes(1, text) + proto_float(2, score) + proto_varint(3, static_cast<std::uint64_t>(type));
}

std::string SentencepieceBytes::serialized() const {
  std::string all;
  for (const std::string& piece : pieces) all += proto_bytes(1, piece);
  return all + proto_bytes(2, trainer) + proto_bytes(3, normalizer) + rest;
}

SentencepieceBytes small_sentencepiece() {
  SentencepieceBytes model;
  auto& pieces = model.pieces;
  pieces.push_back(proto_piece("<unk>", 0, PieceType::unknown));
  pieces.push_back(proto_piece("<s>", 0, PieceType::control));
  pieces.push_back(proto_piece("</s>", 0, PieceType::control));
  pieces.push_back(proto_piece("\n", 0, PieceType::user_defined));
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    pieces.push_back(
        proto_piece(std::string("<0x") + digits[byte >> 4U] + digits[byte & 15U] + ">", 0, PieceType::byte));
  }
  const std::string blank = "\xE2\x96\x81";
  const std::string letters = "abcde";
  float score = 0;
  const auto add = [&](const std::string& text) { pieces.push_back(proto_piece(text, score -= 1, PieceType::normal)); };
  for (const char first : letters) add(blank + first);
  for (const char first : letters) {
    for (const char second : letters) add(std::string{first, second});
  }
  add(blank);
  for (const char letter : letters) add(std::string{letter});
  add("\xC3\xA9");  // é
  add(blank + "ab");
  add(blank + "cd");
  add("abc");

  model.trainer = proto_varint(3, 2) + proto_varint(4, pieces.size()) + proto_varint(35, 1);
  model.normalizer = proto_bytes(1, "identity") + proto_varint(3, 1) + proto_varint(4, 0) + proto_varint(5, 1);
  return model;
}

}  // namespace natscope::test
