// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/piece_index.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

namespace natscope {
namespace {

constexpr std::size_t fewest_slots = 16;

std::size_t slots_for(std::size_t entries) { return std::bit_ceil(std::max(2 * entries, fewest_slots)); }

std::uint32_t hash_of(std::string_view text) {
  const std::uint64_t hash = std::hash<std::string_view>()(text);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) | static_cast<std::uint32_t>(right);
}

}  // namespace

void PieceIndex::reserve(std::size_t pieces) {
  pieces_.reserve(pieces);
  if (slots_for(pieces) > slots_.size()) grow(slots_for(pieces));
}

void PieceIndex::grow(std::size_t slots) {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots));
  for (const Slot& slot : old) {
    if (slot.number == 0) continue;
    std::size_t at = slot.hash & (slots - 1);
    while (slots_[at].number != 0) at = (at + 1) & (slots - 1);
    slots_[at] = slot;
  }
}

void PieceIndex::add(std::string text, std::int32_t id) {
  if (2 * (pieces_.size() + 1) > slots_.size()) grow(slots_for(pieces_.size() + 1));
  const std::uint32_t hash = hash_of(text);
  pieces_.push_back({std::move(text), id});
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at].number != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {hash, static_cast<std::uint32_t>(pieces_.size())};
}

std::optional<std::int32_t> PieceIndex::find(std::string_view text) const {
  if (slots_.empty()) return std::nullopt;
  const std::uint32_t hash = hash_of(text);
  for (std::size_t at = hash & (slots_.size() - 1); slots_[at].number != 0; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].hash != hash) continue;
    const Piece& piece = pieces_[slots_[at].number - 1];
    if (piece.text == text) return piece.id;
  }
  return std::nullopt;
}

void MergeIndex::reserve(std::size_t merges) {
  if (slots_for(merges) > slots_.size()) grow(slots_for(merges));
}

/// Where `pair` is or would be.
std::size_t MergeIndex::place_of(std::uint64_t pair) const {
  // Fibonacci hashing: the high bits of the product depend on all bits of both ids.
  std::size_t at = (pair * 0x9E3779B97F4A7C15U) >> (64U - static_cast<unsigned>(std::countr_zero(slots_.size())));
  while (slots_[at].pair != empty && slots_[at].pair != pair) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void MergeIndex::grow(std::size_t slots) {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots));
  for (const Slot& slot : old) {
    if (slot.pair != empty) slots_[place_of(slot.pair)] = slot;
  }
}

void MergeIndex::set(std::int32_t left, std::int32_t right, PairMerge merge) {
  if (2 * (taken_ + 1) > slots_.size()) grow(slots_for(taken_ + 1));
  const std::uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[place_of(pair)];
  if (slot.pair == empty) ++taken_;
  slot = {pair, merge};
}

const PairMerge* MergeIndex::find(std::int32_t left, std::int32_t right) const {
  if (slots_.empty()) return nullptr;
  const Slot& slot = slots_[place_of(pair_of(left, right))];
  return slot.pair == empty ? nullptr : &slot.merge;
}

}  // namespace natscope
