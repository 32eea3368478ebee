// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/entry_moves.h"

#include <algorithm>

namespace natscope {

using kernels::ConstView;

EntryMoves::EntryMoves(std::span<const std::vector<TokenPos>> gone, std::int64_t tokens) : kv_heads_(std::ssize(gone)) {
  const auto kept_of = [&](const std::vector<TokenPos>& positions) { return tokens - std::ssize(positions); };
  for (const std::vector<TokenPos>& positions : gone) {
    dropped_ += std::ssize(positions);
    const auto holes =
        std::ranges::lower_bound(positions, kept_of(positions), {}, &TokenPos::value) - positions.begin();
    most_ = std::max<std::int64_t>(most_, holes);
  }
  numbers_.resize(static_cast<std::size_t>(2 * kv_heads_ * (1 + most_)));
  for (std::int64_t head = 0; head < kv_heads_; ++head) {
    const std::vector<TokenPos>& positions = gone[static_cast<std::size_t>(head)];
    const std::int64_t kept = kept_of(positions);
    auto from = numbers_.begin() + 2 * kv_heads_ + head * most_;
    auto to = from + kv_heads_ * most_;
    const auto behind = std::ranges::lower_bound(positions, kept, {}, &TokenPos::value);
    std::ranges::transform(positions.begin(), behind, to, &TokenPos::value);
    auto next_gone = behind;
    for (std::int64_t slot = kept; slot < tokens; ++slot) {
      if (next_gone != positions.end() && next_gone->value == slot) {
        ++next_gone;
      } else {
        *from++ = static_cast<std::int32_t>(slot);
      }
    }
    numbers_[static_cast<std::size_t>(head)] = static_cast<std::int32_t>(kept);
    numbers_[static_cast<std::size_t>(kv_heads_ + head)] = static_cast<std::int32_t>(behind - positions.begin());
  }
}

kernels::EntryDrops EntryMoves::call(LayerId layer, const std::int32_t* on_device) const {
  const std::int32_t* const from = on_device + 2 * kv_heads_;
  return {.layer = layer.value,
          .kept = ConstView<std::int32_t, 2>::packed(on_device, {1, kv_heads_}),
          .moves = ConstView<std::int32_t, 2>::packed(on_device + kv_heads_, {1, kv_heads_}),
          .from = ConstView<std::int32_t, 3>::packed(from, {1, kv_heads_, most_}),
          .to = ConstView<std::int32_t, 3>::packed(from + kv_heads_ * most_, {1, kv_heads_, most_})};
}

}  // namespace natscope
