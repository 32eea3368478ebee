// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/device/torch_version.h"

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/csrc/api/include/torch/version.h>
#endif

namespace natscope {

const char* torch_version() { return TORCH_VERSION; }

}  // namespace natscope
