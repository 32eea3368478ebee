// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/sentencepiece_proto.h"

#include <array>
#include <bit>
#include <cmath>
#include <unordered_set>

#include "core/base/utf8.h"
#include "core/tokenizer/normalization_rules.h"
#include "core/tokenizer/protobuf_reader.h"

namespace natscope {
namespace {

using Wire = ProtobufField::Wire;

constexpr std::size_t max_pieces = std::size_t{1} << 21;
constexpr std::size_t max_piece_bytes = 2048;  // also bounds the library's recursion over unused pieces

/// Reads one message after another; the first problem ends it and is kept for the error.
class ModelReader {
 public:
  bool read(std::string_view serialized) {
    bool seen_trainer = false;
    bool seen_normalizer = false;
    const bool walked = fields(serialized, [&](const ProtobufField& field) {
      if (field.number <= 3) model.loadable += field.whole;
      switch (field.number) {
        case 1:
          return is_bytes(field) && piece(field.bytes);
        case 2:
          return is_bytes(field) && once(seen_trainer) && trainer(field.bytes);
        case 3:
          return is_bytes(field) && once(seen_normalizer) && normalizer(field.bytes);
        case 5:
          return is_bytes(field) && denormalizer(field.bytes);
        default:
          return true;
      }
    });
    return walked && check_pieces();
  }

  SentencepieceModel model;
  std::string problem;

 private:
  bool refuse(std::string why) {
    if (problem.empty()) problem = std::move(why);
    return false;
  }

  template <class Visit>
  bool fields(std::string_view message, const Visit& visit) {
    ProtobufReader reader(message);
    while (const auto field = reader.next()) {
      if (!visit(*field)) return refuse("a field has the wrong type");
    }
    return !reader.broken() || refuse("it is cut off or no protobuf message");
  }

  static bool is_bytes(const ProtobufField& field) { return field.wire == Wire::bytes; }
  static bool is_varint(const ProtobufField& field) { return field.wire == Wire::varint; }

  bool once(bool& seen) {
    if (seen) return refuse("a block stands twice");
    return seen = true;
  }

  bool piece(std::string_view message) {
    if (model.pieces.size() >= max_pieces) return refuse("more than 2097152 pieces");
    SentencepiecePiece& entry = model.pieces.emplace_back();
    const bool walked = fields(message, [&](const ProtobufField& field) {
      if (field.number == 1) {
        entry.text = field.bytes;
        return is_bytes(field);
      }
      if (field.number == 2) {
        entry.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
        return field.wire == Wire::fixed32;
      }
      if (field.number == 3) return is_varint(field) && piece_kind(field.value, entry.kind);
      return true;
    });
    return walked;
  }

  bool piece_kind(std::uint64_t value, PieceKind& kind) {
    constexpr auto kinds = std::to_array<PieceKind>({PieceKind::normal, PieceKind::unknown, PieceKind::control,
                                                     PieceKind::user_defined, PieceKind::unused, PieceKind::byte});
    if (value < 1 || value > kinds.size()) return refuse("a piece has an unknown type");
    kind = kinds[value - 1];
    return true;
  }

  bool trainer(std::string_view message) {
    return fields(message, [&](const ProtobufField& field) {
      switch (field.number) {
        case 3:
          return is_varint(field) && model_type(field.value);
        case 24:
          model.is_blank_suffix = field.value != 0;
          return is_varint(field);
        case 35:
          model.byte_fallback = field.value != 0;
          return is_varint(field);
        case 44:
          model.unk_surface = field.bytes;
          return is_bytes(field);
        default:
          return true;
      }
    });
  }

  bool model_type(std::uint64_t value) {
    constexpr auto names = std::to_array<const char*>({"unigram", "bpe", "word", "char"});
    if (value < 1 || value > names.size()) return refuse("an unknown model type");
    model.model_type = names[value - 1];
    return true;
  }

  bool normalizer(std::string_view message) {
    return fields(message, [&](const ProtobufField& field) {
      switch (field.number) {
        case 2:
          if (!is_bytes(field)) return false;
          model.has_normalization_rules = !field.bytes.empty();
          return normalization_rules_are_safe(field.bytes) || refuse("its normalization rules are broken");
        case 3:
          model.add_dummy_prefix = field.value != 0;
          return is_varint(field);
        case 4:
          model.remove_extra_whitespaces = field.value != 0;
          return is_varint(field);
        case 5:
          model.escapes_blanks = field.value != 0;
          return is_varint(field);
        default:
          return true;
      }
    });
  }

  bool denormalizer(std::string_view message) {
    return fields(message, [&](const ProtobufField& field) {
      if (field.number != 2 || (is_bytes(field) && field.bytes.empty())) return true;
      return refuse("rules for denormalization are not implemented");
    });
  }

  bool check_pieces() {
    if (model.pieces.empty()) return refuse("it has no pieces");
    if (!valid_utf8(model.unk_surface)) return refuse("unk_surface is not UTF-8");
    if (model.unk_surface.size() > max_piece_bytes) return refuse("unk_surface is too long");
    std::unordered_set<std::string_view> names;
    std::array<bool, 256> bytes{};
    for (std::size_t id = 0; id < model.pieces.size(); ++id) {
      const SentencepiecePiece& entry = model.pieces[id];
      const auto refuse_piece = [&](const char* why) { return refuse("piece " + std::to_string(id) + " " + why); };
      if (entry.text.empty() || entry.text.size() > max_piece_bytes) return refuse_piece("is empty or too long");
      if (!valid_utf8(entry.text)) return refuse_piece("is not UTF-8");
      if (entry.text.find('\0') != std::string::npos) return refuse_piece("holds a zero byte");
      if (!std::isfinite(entry.score)) return refuse_piece("has no finite score");
      if (!names.insert(entry.text).second) return refuse_piece("stands twice");
      if (entry.kind == PieceKind::unknown) {
        if (model.unk_id >= 0) return refuse("two pieces for the unknown");
        model.unk_id = static_cast<std::int32_t>(id);
      }
      if (entry.kind == PieceKind::byte) {
        const int value = byte_piece_value(entry.text);
        if (value < 0) return refuse_piece("is not a byte piece, but says so");
        bytes[static_cast<std::size_t>(value)] = true;
      }
    }
    if (model.unk_id < 0) return refuse("no piece for the unknown");
    for (const bool present : bytes) {
      if (model.byte_fallback && !present) return refuse("byte fallback without all 256 byte pieces");
    }
    return true;
  }
};

}  // namespace

int byte_piece_value(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  int value = 0;
  for (const char digit : piece.substr(3, 2)) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (digit < 'A' || digit > 'F')) return -1;
    value = value * 16 + (decimal ? digit - '0' : digit - 'A' + 10);
  }
  return value;
}

Expected<SentencepieceModel> read_sentencepiece_model(std::string_view serialized, const std::string& what) {
  ModelReader reader;
  if (!reader.read(serialized)) return fail(ErrorCode::bad_tokenizer, what + ": " + reader.problem);
  return std::move(reader.model);
}

}  // namespace natscope
