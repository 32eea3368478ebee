// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/device_operations.h"
#include "kernels/ids.h"

namespace natscope {

/// What the heads of one layer drop behind a prompt, as a device takes it: of entries that stand each in the slot of
/// its position, those that stay come together.
class EntryMoves {
 public:
  /// gone [kv_heads][], ascending, of positions 0 … tokens - 1.
  EntryMoves(std::span<const std::vector<TokenPos>> gone, std::int64_t tokens);

  /// All numbers, to be copied to the device.
  [[nodiscard]] std::span<const std::int32_t> numbers() const { return numbers_; }
  /// The same there, at `on_device`.
  [[nodiscard]] kernels::EntryDrops call(LayerId layer, const std::int32_t* on_device) const;
  /// Entries that go, of all heads.
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }

 private:
  std::int64_t kv_heads_;
  std::int64_t most_ = 1;  // moves of a head, one at least: no array of the device is empty
  std::int64_t dropped_ = 0;
  std::vector<std::int32_t> numbers_;  // kept, moves [kv_heads], from, to [kv_heads, most]
};

}  // namespace natscope
