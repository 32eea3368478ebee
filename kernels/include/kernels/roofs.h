// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace natscope::kernels {

/// What this machine's memory gives: the roof that one-row products and decoding are measured against.
///
/// Bytes per second at which `threads` threads together read `bytes` bytes of fresh memory once, in order, as a sum
/// would; the median of `passes` passes. 0 when the memory cannot be had.
///
/// `bytes` has to be far beyond the last cache that counts. A virtual machine may report a socket's whole cache though
/// it gets a small share of it, and large cache lines survive from pass to pass: 1.5 GB is a sound choice, and weights
/// of a model that is read once a token behave just so.
[[nodiscard]] double measure_read_bandwidth(std::int64_t bytes, int threads, int passes = 5);

}  // namespace natscope::kernels
