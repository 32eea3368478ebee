// SPDX-License-Identifier: GPL-3.0-or-later
/// LibTorch's streams beside those of others. For .cpp files: brings LibTorch.
#pragma once

#include <c10/core/Stream.h>

namespace natscope {

/// LibTorch's name for a stream of the first GPU (a cudaStream_t) that is somebody else's.
[[nodiscard]] c10::Stream torch_stream(void* stream);

/// What comes on `behind` from here on waits for what `before` has been given so far; the host goes on. Throws what
/// LibTorch throws.
void put_behind(const c10::Stream& before, const c10::Stream& behind);

}  // namespace natscope
