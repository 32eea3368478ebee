// SPDX-License-Identifier: GPL-3.0-or-later
/// Each rank of a machine computes on a GPU of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/expected.h"
#include "core/train/ranks/rank_group.h"

namespace natscope::train {

/// What CUDA_VISIBLE_DEVICES must say in a rank so that it sees one GPU. `given`: what it says already; where that
/// names one GPU, a starter such as srun has chosen, and where it names none, the user. Errors: device_unavailable
/// (fewer GPUs are named than ranks are there).
[[nodiscard]] Expected<std::string> visible_gpu(std::optional<std::string_view> given, int local_rank, int local_size);

/// Sets it in this process, if there are several ranks on the machine. To be called before anything asks CUDA: it looks
/// once. Errors: as visible_gpu().
[[nodiscard]] Expected<void> take_gpu_of_rank(const RankGroup& ranks);

/// The same before MPI begins, whose transports may ask CUDA as well: as far as the starter's variables say which rank
/// of a machine this is (mpirun's, srun's). Where they do not, or there are too few GPUs, it is left to the other one.
void take_gpu_of_starter();

/// This process sees none from now on.
void hide_gpus();

}  // namespace natscope::train
