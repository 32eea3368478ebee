// SPDX-License-Identifier: GPL-3.0-or-later
/// A second stream of LibTorch's on its first CUDA device. Private to core/train.
#pragma once

#include <memory>

#include "core/base/expected.h"
#include "core/train/ranks/device_all_reduce.h"

namespace natscope::train {

/// The computing stream is the one that LibTorch has as current where a call is made. LibTorch's CUDA must be loaded.
/// Errors: internal (LibTorch's words).
[[nodiscard]] Expected<std::unique_ptr<SideStream>> torch_side_stream();

}  // namespace natscope::train
