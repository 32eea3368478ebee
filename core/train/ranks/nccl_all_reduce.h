// SPDX-License-Identifier: GPL-3.0-or-later
/// DeviceAllReduce through NCCL, NVIDIA's library for sums between GPUs, of one machine or several.
///
/// The library is looked for when several ranks train on GPUs, and not needed otherwise: a LibTorch with CUDA brings
/// it. The first rank's identifier comes to the others through their RankGroup.
/// Source of the functions' types: NCCL's public documentation (docs.nvidia.com/deeplearning/nccl), stable since 2.0.
#pragma once

#include <filesystem>
#include <memory>

#include "core/base/expected.h"
#include "core/train/ranks/device_all_reduce.h"
#include "core/train/ranks/rank_group.h"

namespace natscope::train {

/// Under this name the loader looks where LibTorch's own CUDA part found it.
inline constexpr const char* nccl_file = "libnccl.so.2";

/// Called by every rank, each with a GPU of its own as the current one; waits for all of them, a stop request
/// notwithstanding. `library`: nccl_file, or a stand-in of the tests.
/// Errors: device_unavailable (a rank has no NCCL; NCCL's words, such as two ranks on one GPU), io_failure (a rank is
/// gone).
[[nodiscard]] Expected<std::unique_ptr<DeviceAllReduce>> nccl_all_reduce(
    RankGroup& ranks, std::unique_ptr<SideStream> side, const std::filesystem::path& library = nccl_file);

}  // namespace natscope::train
