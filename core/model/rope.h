// SPDX-License-Identifier: GPL-3.0-or-later
/// Rotary frequencies: position p rotates the pair (i, i + D/2) of a head by p · inverse_frequency[i] radians.
///
/// The halves layout is Hugging Face's (rotate_half): out[i] = x[i]·cos − x[i + D/2]·sin,
/// out[i + D/2] = x[i + D/2]·cos + x[i]·sin.
/// Source: transformers, modeling_rope_utils.py (default, linear, llama3).
#pragma once

#include <vector>

#include "core/model/config.h"

namespace natscope {

/// [head_dim / 2], in radians per position, computed in double and rounded to f32 as transformers holds them.
[[nodiscard]] std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, int head_dim);

}  // namespace natscope
