// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "core/export/position_range.h"

/// What each token of a text cost, and where colours of that end: the same in the window and in figures.
namespace natscope {

/// Tokens as running text with their losses: −ln of the probability that the model gave each before it came.
struct LossText {
  PositionRange range;
  std::vector<double> losses;        ///< [range] nats; NaN where it is not known, as of the first token
  std::vector<double> other_losses;  ///< [range] the compared run's, NaN where it does not compare; empty without one
  double widest_difference = 0;      ///< of a comparison: where its colours end, as widest_shown_difference says

  [[nodiscard]] bool is_compared() const { return !other_losses.empty(); }
  /// Of token `index` of the range: above 0 it is predicted worse than in the compared run. NaN as above.
  [[nodiscard]] double difference(std::size_t index) const { return losses[index] - other_losses[index]; }
};

/// Colours of losses end here: a token of this loss, in nats, is as surprising as one of 3000 equally likely ones. The
/// same for every run, so that two of them look alike where they are.
inline constexpr double full_loss = 8;

/// Where colours of differences end: of 100 of them 98 are no larger, rounded up to 1, 2 or 5 times a power of ten, at
/// least 0.05 nats. Those that are not finite do not count.
[[nodiscard]] double widest_shown_difference(std::span<const float> differences);

}  // namespace natscope
