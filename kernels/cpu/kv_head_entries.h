// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/cpu/kv_page_pool.h"
#include "kernels/kv_cache.h"

namespace natscope::kernels::cpu {

/// The entries of one (layer, KV head): slots 0 … count - 1 without holes, keys and values on pages, the rest beside
/// them.
///
/// What can be dropped is found without a search: locals and sliding entries stand in two lists of slots, the sliding
/// ones in the order of their positions, and every entry knows its place in its list, so that a moved entry can be
/// corrected there.
class KvHeadEntries {
 public:
  KvHeadEntries(const KvCacheShape& shape, KvPagePool& pool);
  ~KvHeadEntries();
  KvHeadEntries(KvHeadEntries&& other) noexcept;
  KvHeadEntries& operator=(KvHeadEntries&&) = delete;
  KvHeadEntries(const KvHeadEntries&) = delete;
  KvHeadEntries& operator=(const KvHeadEntries&) = delete;

  void clear(std::int64_t window, bool keep_scores);
  Status append(TokenPos first, std::span<const Role> roles, ConstView<float, 2> keys, ConstView<float, 2> values);
  Status keep_by_scores(TokenPos now, std::int64_t heavy, std::int64_t recent, std::vector<TokenPos>* dropped);
  Status set_score(TokenPos position, float score);
  Status drop(std::span<const TokenPos> positions);
  [[nodiscard]] bool keeps_scores() const { return keep_scores_; }
  [[nodiscard]] std::span<const std::int32_t> positions() const { return positions_; }  ///< by slot
  [[nodiscard]] std::span<float> scores() { return scores_; }  ///< by slot, where they are kept

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(positions_.size()); }
  [[nodiscard]] std::int64_t page_count() const { return static_cast<std::int64_t>(pages_.size()); }
  [[nodiscard]] KvPage page(std::int64_t index) const;
  [[nodiscard]] const std::array<std::int64_t, role_count>& by_role() const { return by_role_; }

 private:
  struct Change;

  [[nodiscard]] Change plan(TokenPos first, std::span<const Role> roles) const;
  [[nodiscard]] bool make_room(const Change& change);
  [[nodiscard]] std::optional<SlotId> slot_of(TokenPos position) const;
  void drop_slots(std::vector<SlotId>& slots);
  void drop(SlotId slot);
  void drop_locals();
  void drop_sliding_before(std::int64_t position);
  void rebuild_lists();
  void give_back_empty_pages();
  void write(SlotId slot, ConstView<float, 2> keys, ConstView<float, 2> values, std::int64_t row);
  void push(TokenPos position, Role role);
  [[nodiscard]] std::byte* key_bytes(SlotId slot) const;
  [[nodiscard]] std::byte* value_bytes(SlotId slot) const;
  [[nodiscard]] std::int64_t pages_for(std::int64_t entries) const {
    return (entries + page_entries_ - 1) / page_entries_;
  }

  KvPagePool* pool_;
  std::int64_t page_entries_;
  std::int64_t head_dim_;
  ElementType dtype_;
  std::int64_t row_bytes_;
  std::int64_t window_ = 0;
  bool keep_scores_ = false;
  std::int32_t next_position_ = 0;

  std::vector<std::byte*> pages_;
  std::vector<std::int32_t> positions_;   // [slot]
  std::vector<Role> roles_;               // [slot]
  std::vector<float> scores_;             // [slot], empty when scores are not kept
  std::vector<std::int64_t> list_place_;  // [slot]: index in locals_, or in sliding_ plus what left it before
  std::vector<SlotId> locals_;            // since the last global token
  std::vector<SlotId> sliding_;           // from sliding_begin_ on, by position
  std::size_t sliding_begin_ = 0;
  std::int64_t sliding_left_ = 0;  // how many were erased from the front of sliding_
  std::array<std::int64_t, role_count> by_role_{};
};

}  // namespace natscope::kernels::cpu
