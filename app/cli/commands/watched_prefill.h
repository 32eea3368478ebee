// SPDX-License-Identifier: GPL-3.0-or-later
/// What people see of an engine that reads and writes for them, whichever command it works for.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>

#include "core/base/expected.h"
#include "core/engine/engine.h"

namespace natscope {

/// Engine::prefill under a progress bar. Errors: as there.
[[nodiscard]] Expected<void> watched_prefill(Engine& engine, std::span<const std::int32_t> tokens,
                                             PrefillOptions options, std::stop_token stop);

/// A note that only `generated` of `wanted` tokens were written, since the context is full.
void note_full_context(const Engine& engine, std::int64_t generated, std::int64_t wanted);

}  // namespace natscope
