// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/held_tally.h"

namespace natscope {

std::int64_t HeldTally::add(Role role) {
  roles_.push_back(role);
  switch (role) {
    case Role::global:
      ++globals_;
      locals_ = 0;
      break;
    case Role::local:
      ++locals_;
      break;
    case Role::sliding:
      ++sliding_;
      break;
  }
  // A sliding token n is held while n + W >= t + 1, so the one W tokens back has just gone (with W = 0: the new one
  // itself).
  const std::int64_t leaving = static_cast<std::int64_t>(roles_.size()) - 1 - window_;
  if (leaving >= 0 && roles_[static_cast<std::size_t>(leaving)] == Role::sliding) --sliding_;
  return entries();
}

}  // namespace natscope
