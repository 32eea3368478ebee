// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/base/expected.h"
#include "kernels/status.h"

namespace natscope {

/// What a kernel said, as an error: memory and devices are the user's business, everything else a defect of ours.
[[nodiscard]] inline Expected<void> from_status(kernels::Status status, const char* what) {
  if (status.ok()) return {};
  const std::string message = std::string(what) + ": " + status.detail;
  if (status.code == kernels::StatusCode::out_of_memory) return fail(ErrorCode::out_of_memory, message);
  if (status.code == kernels::StatusCode::backend_unavailable) return fail(ErrorCode::device_unavailable, message);
  return fail(ErrorCode::internal, message);
}

}  // namespace natscope
