// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

/// Attention of bf16 products in tiles of 16 rows of 64 bytes. Processors with matrix tiles (AMX) multiply them about
/// ten times as fast as f32 vectors do, those with AVX-512's products of bf16 pairs about twice as fast. Highway 1.0
/// has words for neither, hence intrinsics.
namespace natscope::kernels::cpu {

/// A query or key element as products take it: the upper half of an f32.
using Bf16Bits = std::uint16_t;

/// Whether products of tiles are fast here, by either means.
bool tiles_available();

/// Whether processor and system let this process use the matrix tiles. Asks the system for leave the first time.
bool tiles_in_hardware();

}  // namespace natscope::kernels::cpu
