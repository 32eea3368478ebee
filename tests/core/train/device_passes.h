// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/train/passes/training_device.h"

namespace natscope::test {

/// Whose passes this program holds to the CPU's: LibTorch's operations in ordinary memory, or a GPU's.
#ifdef NATSCOPE_TESTED_PASSES_ON_GPU
inline constexpr train::PassesOn device_passes = train::PassesOn::gpu;
#else
inline constexpr train::PassesOn device_passes = train::PassesOn::libtorch;
#endif
inline constexpr bool passes_on_gpu = device_passes == train::PassesOn::gpu;

/// How far f32 results may be apart: `ordinary` where both sides attend with the same kernel, on a GPU what section 6
/// of the rules grants to a kernel of its own.
[[nodiscard]] constexpr double f32_tolerance(double ordinary) { return passes_on_gpu ? 1e-3 : ordinary; }

}  // namespace natscope::test
