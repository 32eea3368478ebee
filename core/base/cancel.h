// SPDX-License-Identifier: GPL-3.0-or-later
/// Cancelling: long work looks at a stop token, at least once a layer, and answers with `interrupted`.
#pragma once

#include <stop_token>

#include "core/base/expected.h"

namespace natscope {

using StopToken = std::stop_token;
using StopSource = std::stop_source;

/// The error `interrupted` once a stop was asked for. Costs one atomic load.
[[nodiscard]] inline Expected<void> check(const StopToken& stop) {
  if (stop.stop_requested()) return fail(ErrorCode::interrupted, "stopped before the work was done");
  return {};
}

}  // namespace natscope
