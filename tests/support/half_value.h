// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

namespace natscope::test {

/// A finite binary16 as its fields say (IEEE 754, 3.4): beside the bit tricks of the program.
inline double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10U & 31U;
  const double mantissa = bits & 1023U;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

}  // namespace natscope::test
