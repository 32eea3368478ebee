// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace natscope::kernels {

/// How an operation of kernels/ ended. Nothing was written to the outputs unless it is `ok`.
enum class StatusCode : std::uint8_t {
  ok,
  shape_mismatch,     ///< sizes or strides of the arguments do not fit each other
  invalid_argument,   ///< a value outside its range (a role, a window, a position)
  unsupported_dtype,  ///< the backend has no code for this element type
  unsupported_shape,  ///< the backend has no code for this size (head_dim over 256, say)
  out_of_memory,
  backend_unavailable,  ///< no such device, or not built in
};

/// A code and, for a person, which argument it was. `detail` is a string literal.
struct [[nodiscard]] Status {
  StatusCode code = StatusCode::ok;
  const char* detail = "";

  [[nodiscard]] constexpr bool ok() const { return code == StatusCode::ok; }
};

/// Which implementation runs. `ref`: plain loops in double, the truth the others are held to.
enum class Backend : std::uint8_t { ref, cpu, cuda };

}  // namespace natscope::kernels
