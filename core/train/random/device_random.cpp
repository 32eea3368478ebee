// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/random/device_random.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/bitwise_right_shift.h>

namespace natscope::train {

namespace {

/// LibTorch's 64-bit integers have a sign; what they wrap round to has the same bits.
std::int64_t same_bits(std::uint64_t number) { return static_cast<std::int64_t>(number); }

/// Zeros come in from above, as with numbers without a sign.
at::Tensor shifted_right(const at::Tensor& numbers, int bits) {
  return at::bitwise_right_shift(numbers, bits).bitwise_and_(same_bits(~std::uint64_t{0} >> bits));
}

}  // namespace

at::Tensor uniform_numbers(const CounterRandom& random, std::int64_t first, std::int64_t count, at::Device device) {
  using Mixing = CounterRandom::Mixing;
  const at::Tensor bits = at::arange(first, first + count, at::TensorOptions().dtype(at::kLong).device(device));
  bits.mul_(same_bits(Mixing::increment)).add_(same_bits(random.key() + Mixing::increment));
  bits.bitwise_xor_(shifted_right(bits, Mixing::first_shift)).mul_(same_bits(Mixing::first_factor));
  bits.bitwise_xor_(shifted_right(bits, Mixing::second_shift)).mul_(same_bits(Mixing::second_factor));
  bits.bitwise_xor_(shifted_right(bits, Mixing::last_shift));
  return shifted_right(bits, CounterRandom::uniform_shift).to(at::kFloat).add_(0.5).mul_(CounterRandom::uniform_unit);
}

}  // namespace natscope::train
