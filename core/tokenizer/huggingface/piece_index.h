// SPDX-License-Identifier: GPL-3.0-or-later
/// Tables that a tokenizer.json fills by the hundred thousand and encoding asks for every character: one block of
/// memory each, no node an entry. Private to core/io.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace natscope {

/// Ids of pieces by text.
class PieceIndex {
 public:
  struct Piece {
    std::string text;
    std::int32_t id = 0;
  };

  /// Room for so many. Members that allocate may throw std::bad_alloc.
  void reserve(std::size_t pieces);
  /// `text` is not there yet.
  void add(std::string text, std::int32_t id);
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view text) const;
  /// In the order in which they were added.
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t number = 0;  // in pieces_, from 1; 0: empty
  };

  void grow(std::size_t slots);

  std::vector<Piece> pieces_;
  std::vector<Slot> slots_;  // a power of two, at most half of them taken
};

struct PairMerge {
  std::int32_t rank = 0;
  std::int32_t id = 0;  ///< of the piece that it makes
};

/// Merges by the ids of their halves.
class MergeIndex {
 public:
  void reserve(std::size_t merges);
  /// Said twice, the last one counts. Ids are not negative.
  void set(std::int32_t left, std::int32_t right, PairMerge merge);
  /// Null where there is none.
  [[nodiscard]] const PairMerge* find(std::int32_t left, std::int32_t right) const;

 private:
  static constexpr std::uint64_t empty = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t pair = empty;
    PairMerge merge;
  };

  [[nodiscard]] std::size_t place_of(std::uint64_t pair) const;
  void grow(std::size_t slots);

  std::vector<Slot> slots_;  // as above
  std::size_t taken_ = 0;
};

}  // namespace natscope
