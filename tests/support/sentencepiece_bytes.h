// SPDX-License-Identifier: GPL-3.0-or-later
/// Sentencepiece models made by hand, whole or broken, byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace natscope::test {

/// Protobuf fields.
[[nodiscard]] std::string proto_varint(std::uint32_t field, std::uint64_t value);
[[nodiscard]] std::string proto_float(std::uint32_t field, float value);
[[nodiscard]] std::string proto_bytes(std::uint32_t field, std::string_view bytes);

/// Piece types of sentencepiece_model.proto.
enum class PieceType : std::uint64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

[[nodiscard]] std::string proto_piece(std::string_view text, float score, PieceType type);

struct SentencepieceBytes {
  std::vector<std::string> pieces;  ///< each a serialized piece
  std::string trainer;              ///< fields of the trainer_spec
  std::string normalizer;           ///< fields of the normalizer_spec
  std::string rest;                 ///< fields behind them

  [[nodiscard]] std::string serialized() const;
};

/// <unk> 0, <s> 1, </s> 2, the line break 3, the bytes 4 … 259, then words of the letters a … e and the blank, 300
/// pieces in all; BPE, byte fallback, a blank put in front, identity normalisation.
[[nodiscard]] SentencepieceBytes small_sentencepiece();

}  // namespace natscope::test
