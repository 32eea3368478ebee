// SPDX-License-Identifier: GPL-3.0-or-later
/// Text from a pipe: what `-` stands for where a flag takes a file.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/expected.h"

namespace natscope {

/// Standard input to its end. Errors: file_too_large (over `max_bytes`).
[[nodiscard]] Expected<std::string> read_standard_input(std::uint64_t max_bytes);

}  // namespace natscope
