// SPDX-License-Identifier: GPL-3.0-or-later
/// Advice that errors of several places end in.
#pragma once

namespace natscope {

/// Where a model computes what is no number.
inline constexpr const char* broken_weights =
    "its weights are damaged, or too large for the dtype: check the files, or take float32";

}  // namespace natscope
