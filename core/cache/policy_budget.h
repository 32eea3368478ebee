// SPDX-License-Identifier: GPL-3.0-or-later
/// Baselines that hold as much as something else does: policies compare only at an equal budget.
#pragma once

#include <array>
#include <cstdint>

#include "core/cache/policy.h"

namespace natscope {

/// Sinks of StreamingLLM, as its authors have them.
inline constexpr std::int64_t baseline_sinks = 4;

/// The window of SnapKV and its like: `window_size = 32` where nothing is set (FasterDecoding/SnapKV,
/// snapkv/monkeypatch/snapkv_utils.py, init_snapkv). Of a smaller budget it is half.
inline constexpr std::int64_t baseline_snap_window = 32;

/// The policies that can be given any budget, and need no training.
inline constexpr std::array budget_kinds{Policy::Kind::window, Policy::Kind::streaming, Policy::Kind::h2o,
                                         Policy::Kind::tova,   Policy::Kind::snapkv,    Policy::Kind::pyramidkv,
                                         Policy::Kind::adakv};

/// A policy that holds about `fraction` of `tokens` after the last of them: at least one entry a head, at most all.
///   kind  one of budget_kinds; of h2o half is heavy, half recent. Where one drops behind a prompt, `tokens` is the
///         prompt's length
[[nodiscard]] Policy policy_at_budget(Policy::Kind kind, double fraction, std::int64_t tokens);

}  // namespace natscope
