// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the passes of a training run are computed, with the attention that computes there, and what is done where that
/// cannot be.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/expected.h"
#include "core/device/device_module.h"
#include "core/train/options/train_options.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/roles/training_attention.h"

namespace natscope::train {

/// What passes run on. `gpu`: LibTorch's operations with its CUDA, attention by the GPU's module. `libtorch`: the same
/// operations in ordinary memory, with the CPU's attention: how the GPU's passes are tested where there is none.
enum class PassesOn { cpu, libtorch, gpu };

/// Called first, before anything is read for the run, and before anything else asks for a GPU: each of several ranks
/// takes one for itself, and where a GPU is wanted, whether passes can be computed there.
/// Errors: device_unavailable, out_of_memory.
[[nodiscard]] Expected<void> prepare_device(Device wanted, const RankGroup& ranks);

/// The attention of passes that are LibTorch's operations: `passes` is libtorch or gpu. `backend`: of the attention in
/// ordinary memory. Errors: as open_gpu_attention().
[[nodiscard]] Expected<std::unique_ptr<TrainingAttention>> open_training_attention(PassesOn passes,
                                                                                   kernels::Backend backend,
                                                                                   std::int64_t head_dim,
                                                                                   kernels::ElementType dtype);

/// Builds the model for `wanted`, by `make(PassesOn)`; with `automatic`, falls back to the CPU and reports which
/// through `say` where there is a GPU backend. All ranks get the same device; on GPUs the model's state has joined
/// them. Errors: those of `make` and of DeviceTrainingState::join().
template <class Make>
auto make_on(Device wanted, RankGroup& ranks, const std::function<void(const std::string&)>& say, const Make& make)
    -> decltype(make(PassesOn::cpu)) {
  if (wanted == Device::cpu) return make(PassesOn::cpu);
  std::string why_not = "another rank has no GPU";
  {
    std::optional<decltype(make(PassesOn::cpu))> on_gpu;
    if (wanted == Device::cuda || DeviceModule::is_there({})) on_gpu.emplace(make(PassesOn::gpu));
    const bool is_here = on_gpu && on_gpu->has_value();
    NATSCOPE_TRY(const bool is_everywhere, ranks.all_reduce_and(is_here));
    if (is_everywhere) {
      Expected<void> joined;
      if (ranks.size() > 1) joined = (**on_gpu).device_state()->join(ranks);
      // Anything else than a GPU that cannot is no reason to compute elsewhere.
      if (!joined && joined.error().code != ErrorCode::device_unavailable) return Unexpected(std::move(joined).error());
      NATSCOPE_TRY(const bool have_all_joined, ranks.all_reduce_and(joined.has_value()));
      if (have_all_joined) {
        say("training on the GPU");
        return std::move(*on_gpu);
      }
      why_not = joined ? "another rank cannot add up gradients on its GPU" : joined.error().message;
    } else {
      if (wanted == Device::cuda && !is_here) return std::move(*on_gpu);
      if (!is_here) why_not = on_gpu ? on_gpu->error().message : std::string();
    }
  }
  if (wanted == Device::cuda) return fail(ErrorCode::device_unavailable, why_not);
  if (!why_not.empty()) say("training on the CPU: " + why_not);
  return make(PassesOn::cpu);
}

}  // namespace natscope::train
