// SPDX-License-Identifier: GPL-3.0-or-later
/// What an option is where nobody chose it and it comes of another one.
#pragma once

#include <cstdint>

namespace natscope::jobs {

/// The inner size of a feed-forward block of three products that has about the weights of one of two products and
/// 4 x hidden: 8/3 of it, in whole 64s. `hidden` > 0.
[[nodiscard]] constexpr std::int64_t default_intermediate(std::int64_t hidden) {
  return (hidden * 8 / 3 + 63) / 64 * 64;
}

}  // namespace natscope::jobs
