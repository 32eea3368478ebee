// SPDX-License-Identifier: GPL-3.0-or-later
/// LibTorch's CUDA part. Programs are linked with its CPU part alone, and take this one where there is a GPU.
#pragma once

#include <exception>

#include "core/base/expected.h"

namespace natscope {

/// To be called before anything else that may ask LibTorch about CUDA: it looks once, and not again.
/// Errors: device_unavailable (a LibTorch without CUDA, or without the libraries behind it; no GPU that it sees).
[[nodiscard]] Expected<void> load_torch_cuda();

/// Gives back to the GPU what LibTorch holds there and nobody uses, the workspaces of its matrix library among it.
/// Does nothing where its CUDA part is not loaded.
void release_torch_memory();

/// What LibTorch threw, by the first line of its message: out_of_memory, or internal.
[[nodiscard]] Unexpected from_torch(const std::exception& problem);

}  // namespace natscope
