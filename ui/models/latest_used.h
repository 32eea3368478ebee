// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace natscope::ui {

/// Values by key, at most so many: the one whose last use is longest ago goes for a new one, so that what is on screen
/// never takes its own place.
template <class Key, class Value>
class LatestUsed {
 public:
  explicit LatestUsed(std::size_t most) : most_(most) {}

  /// Null: it is not there. Counts as a use.
  [[nodiscard]] Value* find(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return &found->second.value;
  }
  /// The same, and counts as none.
  [[nodiscard]] const Value* peek(const Key& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second.value;
  }

  /// In place of what this key had; a use either way. The reference stands until the next keep() or clear().
  Value& keep(const Key& key, Value value) {
    if (Value* const before = find(key)) return *before = std::move(value);
    if (entries_.size() >= most_) {
      entries_.erase(uses_.back());
      uses_.pop_back();
    }
    uses_.push_front(key);
    return entries_.emplace(key, Entry{std::move(value), uses_.begin()}).first->second.value;
  }

  void clear() {
    entries_.clear();
    uses_.clear();
  }

 private:
  struct Entry {
    Value value;
    typename std::list<Key>::iterator use;
  };

  std::size_t most_;
  std::map<Key, Entry> entries_;
  std::list<Key> uses_;  // latest first
};

}  // namespace natscope::ui
