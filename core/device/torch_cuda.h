// SPDX-License-Identifier: GPL-3.0-or-later
/// LibTorch's CUDA part. Programs are linked with its CPU part alone, and take this one where there is a GPU.
#pragma once

#include "core/base/expected.h"

namespace natscope {

/// To be called before anything else that may ask LibTorch about CUDA: it looks once, and not again.
/// Errors: device_unavailable (a LibTorch without CUDA, or without the libraries behind it; no GPU that it sees).
[[nodiscard]] Expected<void> load_torch_cuda();

/// From now on products on a GPU are summed in f32, and those of f32 are computed in f32: LibTorch may otherwise put
/// sums of bf16 products together in bf16, and take TF32 where the environment says so. In all threads, autograd's
/// among them.
void compute_in_full_precision();

/// Gives back to the GPU what LibTorch holds there and nobody uses, the workspaces of its matrix library among it.
/// Does nothing where its CUDA part is not loaded.
void release_torch_memory();

}  // namespace natscope
