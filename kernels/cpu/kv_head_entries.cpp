// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/kv_head_entries.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "kernels/cpu/stored_row.h"

namespace natscope::kernels::cpu {

namespace {

std::size_t at(SlotId slot) { return static_cast<std::size_t>(slot.value); }

/// Room for `needed` elements, growing by halves so that appending one by one stays cheap.
template <class T>
void reserve_for(std::vector<T>& vector, std::size_t needed) {
  if (needed > vector.capacity()) vector.reserve(std::max(needed, vector.capacity() + vector.capacity() / 2));
}

}  // namespace

/// What an append will do, known before anything is touched.
struct KvHeadEntries::Change {
  std::int64_t end = 0;            // the position of the next query
  bool ends_locals = false;        // a global token comes: every local before it goes
  std::int64_t first_local = 0;    // row from which new locals stay: after the chunk's last global token
  std::int64_t first_sliding = 0;  // row from which new sliding tokens stay
  std::int64_t dropped = 0;
  std::int64_t added = 0;
};

KvHeadEntries::KvHeadEntries(const KvCacheShape& shape, KvPagePool& pool)
    : pool_(&pool),
      page_entries_(shape.page_entries),
      head_dim_(shape.head_dim),
      dtype_(shape.dtype),
      row_bytes_(shape.head_dim * element_bytes(shape.dtype)) {}

KvHeadEntries::KvHeadEntries(KvHeadEntries&& other) noexcept = default;

KvHeadEntries::~KvHeadEntries() {
  for (std::byte* page : pages_) pool_->give_back(page);
}

void KvHeadEntries::clear(std::int64_t window, bool keep_scores) {
  positions_.clear();
  roles_.clear();
  scores_.clear();
  list_place_.clear();
  locals_.clear();
  sliding_.clear();
  sliding_begin_ = 0;
  sliding_left_ = 0;
  by_role_ = {};
  give_back_empty_pages();
  window_ = window;
  keep_scores_ = keep_scores;
  next_position_ = 0;
}

KvHeadEntries::Change KvHeadEntries::plan(TokenPos first, std::span<const Role> roles) const {
  Change change;
  const auto rows = static_cast<std::int64_t>(roles.size());
  change.end = first.value + rows;
  change.first_sliding = std::clamp<std::int64_t>(rows - window_, 0, rows);
  for (std::int64_t row = rows; row-- > 0 && !change.ends_locals;) {
    change.ends_locals = roles[static_cast<std::size_t>(row)] == Role::global;
    if (change.ends_locals) change.first_local = row + 1;
  }

  for (std::int64_t row = 0; row < rows; ++row) {
    const Role role = roles[static_cast<std::size_t>(row)];
    if (role == Role::global || (role == Role::local && row >= change.first_local) ||
        (role == Role::sliding && row >= change.first_sliding)) {
      ++change.added;
    }
  }
  if (change.ends_locals) change.dropped += static_cast<std::int64_t>(locals_.size());
  for (std::size_t index = sliding_begin_; index < sliding_.size(); ++index) {
    if (positions_[at(sliding_[index])] >= change.end - window_) break;
    ++change.dropped;
  }
  return change;
}

bool KvHeadEntries::make_room(const Change& change) {
  const std::int64_t before = count();
  const std::int64_t after = before - change.dropped + change.added;
  const std::size_t pages_before = pages_.size();
  try {
    const auto slots = static_cast<std::size_t>(after);
    reserve_for(positions_, slots);
    reserve_for(roles_, slots);
    reserve_for(list_place_, slots);
    if (keep_scores_) reserve_for(scores_, slots);
    reserve_for(locals_, locals_.size() + static_cast<std::size_t>(change.added));
    reserve_for(sliding_, sliding_.size() + static_cast<std::size_t>(change.added));
    pages_.reserve(std::max(pages_.size(), static_cast<std::size_t>(pages_for(after))));
  } catch (const std::bad_alloc&) {
    return false;
  }
  while (static_cast<std::int64_t>(pages_.size()) < pages_for(after)) {
    std::byte* page = pool_->take();
    if (page == nullptr) {
      for (; pages_.size() > pages_before; pages_.pop_back()) pool_->give_back(pages_.back());
      return false;
    }
    pages_.push_back(page);
  }
  return true;
}

Status KvHeadEntries::append(TokenPos first, std::span<const Role> roles, ConstView<float, 2> keys,
                             ConstView<float, 2> values) {
  if (first.value != next_position_)
    return {StatusCode::invalid_argument, "first: not the position after the last token"};
  const Change change = plan(first, roles);
  if (!make_room(change)) return {StatusCode::out_of_memory, "cache page"};

  [[maybe_unused]] const std::int64_t expected = count() - change.dropped + change.added;
  if (change.ends_locals) drop_locals();
  drop_sliding_before(change.end - window_);
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(roles.size()); ++row) {
    const auto index = static_cast<std::size_t>(row);
    const Role role = roles[index];
    if (role == Role::local && row < change.first_local) continue;
    if (role == Role::sliding && row < change.first_sliding) continue;
    const SlotId slot(static_cast<std::int32_t>(count()));
    push(TokenPos(first.value + static_cast<std::int32_t>(row)), role);
    write(slot, keys, values, row);
  }
  next_position_ = static_cast<std::int32_t>(change.end);
  give_back_empty_pages();
  assert(count() == expected);
  assert(by_role_[0] + by_role_[1] + by_role_[2] == count());
  assert(static_cast<std::int64_t>(locals_.size()) == by_role_[1]);
  assert(static_cast<std::int64_t>(sliding_.size() - sliding_begin_) == by_role_[2]);
  assert(page_count() == pages_for(count()));
  return {};
}

Status KvHeadEntries::keep_by_scores(TokenPos now, std::int64_t heavy, std::int64_t recent,
                                     std::vector<TokenPos>* dropped) {
  if (!keep_scores_) return {StatusCode::invalid_argument, "keep_by_scores: the cache keeps no scores"};
  if (heavy < 0 || recent < 0) return {StatusCode::invalid_argument, "heavy, recent: not below 0"};
  std::vector<SlotId> gone;
  try {
    gone = slots_that_go(positions_, scores_, now, heavy, recent);
    if (dropped != nullptr) {
      for (const SlotId slot : gone) dropped->emplace_back(positions_[at(slot)]);
    }
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "keep_by_scores"};
  }
  drop_slots(gone);
  return {};
}

/// Of all of these entries. `slots` are put in order.
void KvHeadEntries::drop_slots(std::vector<SlotId>& slots) {
  if (slots.empty()) return;
  // From the highest slot down: what is moved into a hole is then never one that is still to go.
  std::sort(slots.begin(), slots.end(), std::greater<>());
  for (const SlotId slot : slots) {
    --by_role_[static_cast<std::size_t>(roles_[at(slot)])];
    drop(slot);
  }
  rebuild_lists();
  give_back_empty_pages();
}

/// Until something goes every position is in its own slot; behind that it is mostly the newest one that is asked for.
std::optional<SlotId> KvHeadEntries::slot_of(TokenPos position) const {
  if (position.value >= 0 && position.value < count() &&
      positions_[static_cast<std::size_t>(position.value)] == position.value) {
    return SlotId(position.value);
  }
  const auto found = std::find(positions_.rbegin(), positions_.rend(), position.value);
  if (found == positions_.rend()) return {};
  return SlotId(static_cast<std::int32_t>(positions_.rend() - found) - 1);
}

Status KvHeadEntries::set_score(TokenPos position, float score) {
  if (!keep_scores_) return {StatusCode::invalid_argument, "set_score: the cache keeps no scores"};
  const std::optional<SlotId> slot = slot_of(position);
  if (!slot) return {StatusCode::invalid_argument, "set_score: position not held"};
  scores_[at(*slot)] = score;
  return {};
}

Status KvHeadEntries::drop(std::span<const TokenPos> positions) {
  std::vector<SlotId> slots;
  try {
    slots.reserve(positions.size());
    std::vector<bool> goes(positions_.size());
    for (const TokenPos position : positions) {
      const std::optional<SlotId> slot = slot_of(position);
      if (!slot) return {StatusCode::invalid_argument, "drop: position not held"};
      if (goes[at(*slot)]) return {StatusCode::invalid_argument, "drop: a position twice"};
      goes[at(*slot)] = true;
      slots.push_back(*slot);
    }
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "drop"};
  }
  drop_slots(slots);
  return {};
}

KvPage KvHeadEntries::page(std::int64_t index) const {
  const auto first = static_cast<std::size_t>(index * page_entries_);
  const std::byte* keys = pages_[static_cast<std::size_t>(index)];
  KvPage page;
  page.keys = keys;
  page.values = keys + page_entries_ * row_bytes_;
  page.positions = positions_.data() + first;
  page.roles = roles_.data() + first;
  // The scores are the attention kernel's to add to, though it only reads the rest of the cache.
  page.scores = keep_scores_ ? const_cast<float*>(scores_.data()) + first : nullptr;
  page.count = static_cast<std::int32_t>(std::min(page_entries_, count() - static_cast<std::int64_t>(first)));
  return page;
}

/// Moves the last entry into the slot. The caller has taken the dropped entry out of its list.
void KvHeadEntries::drop(SlotId slot) {
  const SlotId last(static_cast<std::int32_t>(count() - 1));
  if (slot != last) {
    std::memcpy(key_bytes(slot), key_bytes(last), static_cast<std::size_t>(row_bytes_));
    std::memcpy(value_bytes(slot), value_bytes(last), static_cast<std::size_t>(row_bytes_));
    positions_[at(slot)] = positions_[at(last)];
    roles_[at(slot)] = roles_[at(last)];
    list_place_[at(slot)] = list_place_[at(last)];
    if (keep_scores_) scores_[at(slot)] = scores_[at(last)];
    const std::int64_t place = list_place_[at(slot)];
    if (roles_[at(slot)] == Role::local) locals_[static_cast<std::size_t>(place)] = slot;
    if (roles_[at(slot)] == Role::sliding) sliding_[static_cast<std::size_t>(place - sliding_left_)] = slot;
  }
  positions_.pop_back();
  roles_.pop_back();
  list_place_.pop_back();
  if (keep_scores_) scores_.pop_back();
}

void KvHeadEntries::drop_locals() {
  while (!locals_.empty()) {
    const SlotId slot = locals_.back();
    locals_.pop_back();
    --by_role_[static_cast<std::size_t>(Role::local)];
    drop(slot);
  }
}

void KvHeadEntries::drop_sliding_before(std::int64_t position) {
  while (sliding_begin_ < sliding_.size() && positions_[at(sliding_[sliding_begin_])] < position) {
    const SlotId slot = sliding_[sliding_begin_];
    ++sliding_begin_;
    --by_role_[static_cast<std::size_t>(Role::sliding)];
    drop(slot);
  }
  // The passed half is cut off when it outweighs the rest: one move an entry over its life.
  if (sliding_begin_ * 2 > sliding_.size()) {
    sliding_.erase(sliding_.begin(), sliding_.begin() + static_cast<std::ptrdiff_t>(sliding_begin_));
    sliding_left_ += static_cast<std::int64_t>(sliding_begin_);
    sliding_begin_ = 0;
  }
}

void KvHeadEntries::rebuild_lists() {
  locals_.clear();
  sliding_.clear();
  sliding_begin_ = 0;
  sliding_left_ = 0;
  for (std::int64_t slot = 0; slot < count(); ++slot) {
    const SlotId id(static_cast<std::int32_t>(slot));
    if (roles_[at(id)] == Role::local) locals_.push_back(id);
    if (roles_[at(id)] == Role::sliding) sliding_.push_back(id);
  }
  std::sort(sliding_.begin(), sliding_.end(),
            [this](SlotId a, SlotId b) { return positions_[at(a)] < positions_[at(b)]; });
  for (std::size_t index = 0; index < locals_.size(); ++index)
    list_place_[at(locals_[index])] = static_cast<std::int64_t>(index);
  for (std::size_t index = 0; index < sliding_.size(); ++index)
    list_place_[at(sliding_[index])] = static_cast<std::int64_t>(index);
}

void KvHeadEntries::give_back_empty_pages() {
  for (; page_count() > pages_for(count()); pages_.pop_back()) pool_->give_back(pages_.back());
}

void KvHeadEntries::push(TokenPos position, Role role) {
  const SlotId slot(static_cast<std::int32_t>(count()));
  std::int64_t place = 0;
  if (role == Role::local) {
    place = static_cast<std::int64_t>(locals_.size());
    locals_.push_back(slot);
  } else if (role == Role::sliding) {
    place = static_cast<std::int64_t>(sliding_.size()) + sliding_left_;
    sliding_.push_back(slot);
  }
  positions_.push_back(position.value);
  roles_.push_back(role);
  list_place_.push_back(place);
  if (keep_scores_) scores_.push_back(0.0F);
  ++by_role_[static_cast<std::size_t>(role)];
}

void KvHeadEntries::write(SlotId slot, ConstView<float, 2> keys, ConstView<float, 2> values, std::int64_t row_index) {
  const auto store = [&](std::byte* bytes, ConstView<float, 2> from) {
    const float* row = &from(row_index, 0);
    if (dtype_ == ElementType::f32) {
      std::memcpy(bytes, row, static_cast<std::size_t>(row_bytes_));
    } else {
      store_bf16_row(row, head_dim_, reinterpret_cast<Bf16*>(bytes));
    }
  };
  store(key_bytes(slot), keys);
  store(value_bytes(slot), values);
}

std::byte* KvHeadEntries::key_bytes(SlotId slot) const {
  return pages_[static_cast<std::size_t>(slot.value / page_entries_)] + slot.value % page_entries_ * row_bytes_;
}

std::byte* KvHeadEntries::value_bytes(SlotId slot) const { return key_bytes(slot) + page_entries_ * row_bytes_; }

}  // namespace natscope::kernels::cpu
