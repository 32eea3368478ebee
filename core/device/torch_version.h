// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope {

/// The LibTorch that this was built with: "2.11.0".
[[nodiscard]] const char* torch_version();

}  // namespace natscope
