// SPDX-License-Identifier: GPL-3.0-or-later
/// Checks the precompiled normalization rules of a sentencepiece model. Private to core/io.
#pragma once

#include <string_view>

namespace natscope {

/// Whether `rules` (normalizer_spec.precompiled_charsmap) can be walked and replaced from without leaving it: a 4-byte
/// size, a Darts-clone double array in which every reachable state has room for all 256 labels, and zero-terminated
/// replacements of at most 1 KiB. Empty rules are safe. Cost: at most a few operations a byte and label.
[[nodiscard]] bool normalization_rules_are_safe(std::string_view rules);

}  // namespace natscope
