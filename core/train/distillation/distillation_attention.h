// SPDX-License-Identifier: GPL-3.0-or-later
/// Attention of one layer of teacher or student, where the passes of a distillation are computed. Private to
/// core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "core/model/config.h"
#include "core/train/distillation/distillation_model.h"
#include "core/train/options/finetune_options.h"
#include "core/train/roles/role_attention.h"
#include "core/train/roles/training_attention.h"

namespace natscope::train {

/// How a layer's roles come about, and what is written down of them.
struct RoleRequest {
  RoleChoice choice = RoleChoice::all_global;
  int layer = 0;
  const DistillContext* context = nullptr;  ///< where roles are drawn
  DistillPass* pass = nullptr;              ///< whose statistics grow; null: none
};

class DistillationAttention {
 public:
  virtual ~DistillationAttention() = default;

  /// out [1, H, T, D] from q [1, H, T, D], k, v [1, K, T, D], rotated, f32, and scores [T, 3K] (undefined with
  /// all_global); differentiable as role_attention() is. This must live until the gradient is taken.
  /// Throws std::bad_alloc, or std::runtime_error with the kernel's words.
  [[nodiscard]] virtual at::Tensor attend(const RoleRequest& request, const at::Tensor& q, const at::Tensor& k,
                                          const at::Tensor& v, const at::Tensor& scores) = 0;
};

/// By the CPU's kernels.
[[nodiscard]] std::unique_ptr<DistillationAttention> host_distillation_attention(const ModelConfig& base,
                                                                                 const FinetuneOptions& options);
/// By `attention`, where its tensors are.
[[nodiscard]] std::unique_ptr<DistillationAttention> device_distillation_attention(
    const ModelConfig& base, const FinetuneOptions& options, std::unique_ptr<TrainingAttention> attention);

}  // namespace natscope::train
