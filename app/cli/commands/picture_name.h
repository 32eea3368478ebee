// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/base/expected.h"

namespace natscope {

/// Whether --figure names a picture that this build can draw. Errors: usage.
[[nodiscard]] Expected<void> check_picture_name(const std::string& path);

}  // namespace natscope
