// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/passes_device.h"

#include <utility>

#include "core/train/roles/gpu_attention.h"

namespace natscope::train {

Expected<PassesDevice> open_passes_device(PassesOn passes, kernels::Backend backend, std::int64_t head_dim,
                                          ComputeDType dtype) {
  if (passes != PassesOn::gpu) return PassesDevice{at::kCPU, std::make_unique<HostTrainingAttention>(backend)};
  const TrainingHeads heads{head_dim,
                            dtype == ComputeDType::bfloat16 ? kernels::ElementType::bf16 : kernels::ElementType::f32};
  NATSCOPE_TRY(auto attention, open_gpu_attention(heads));
  return PassesDevice{at::kCUDA, std::move(attention)};
}

}  // namespace natscope::train
