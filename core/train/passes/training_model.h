// SPDX-License-Identifier: GPL-3.0-or-later
/// The forward and backward pass of a NAtS Llama over whole segments.
///
/// The facade over two ways to compute it, which follow the same rules and draw the same noise: cpu_passes.h, and
/// device_passes.h for a GPU. Source: the rules, sections 2 – 4, 6, 7.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/model/config.h"
#include "core/train/options/train_options.h"
#include "core/train/passes/training_device.h"
#include "core/train/roles/role_statistics.h"
#include "core/train/weights/parameters.h"
#include "kernels/status.h"

namespace natscope::train {

class DeviceTrainingState;
class TrainingPasses;

/// Segments that are computed together.
///   tokens, targets [micro_batch, T]; a target below 0 is not predicted
struct MicroBatch {
  std::span<const std::int32_t> tokens;
  std::span<const std::int32_t> targets;
};

/// What one optimiser step adds to a micro-batch's own content.
struct StepContext {
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  std::int64_t first_row = 0;     ///< row of the step's batch that the micro-batch begins with
  double loss_scale = 1.0;        ///< 1 / predicted tokens of the step: the loss is their mean
  double applied_sparsity = 0.0;  ///< λ as applied_sparsity() gives it
  LocalCharge local_charge = LocalCharge::sampled;
  /// Told as soon as a part of the gradient, [begin, end), stands and is not touched again in this pass: a layer's,
  /// from the last layer down, then what all layers share. May be empty.
  std::function<Expected<void>(std::int64_t begin, std::int64_t end)> gradient_ready;
};

struct PassResult {
  double nll = 0.0;         ///< sum over predicted tokens, natural logarithm
  std::int64_t tokens = 0;  ///< predicted
  RoleStatistics sampled;   ///< what the forward pass used; empty with full attention and in evaluation
  RoleStatistics argmax;    ///< what inference would choose from the same scores; empty with full attention
};

class TrainingModel {
 public:
  /// Allocates everything for micro-batches of `segments`. `mask`: the policy whose roles every head has where `config`
  /// has no score layers; `model` and `full` make every role global. `backend`: of attention, but for the GPU's.
  /// Errors: out_of_memory, internal, bad_policy, device_unavailable.
  [[nodiscard]] static Expected<TrainingModel> create(const ModelConfig& config, kernels::ElementType dtype,
                                                      int segments, int threads, kernels::Backend backend,
                                                      const Policy& mask = {}, PassesOn passes = PassesOn::cpu);
  TrainingModel(TrainingModel&&) noexcept;
  TrainingModel& operator=(TrainingModel&&) noexcept;
  ~TrainingModel();

  [[nodiscard]] const ParameterLayout& layout() const;

  /// Rounds the master weights into the copies that products read; weights [layout().size].
  void set_weights(std::span<const float> weights);

  /// Where weights, gradient and moments live beside the passes; null where the passes are the CPU's. Lives as long as
  /// the model.
  [[nodiscard]] DeviceTrainingState* device_state();

  /// Adds the gradient of loss_scale · Σ nll (and of the regulariser, to the score layers) to `gradient`
  /// [layout().size], or, where that is empty, to the state's own on the device. Looks at `stop` a few times a layer.
  /// Errors: interrupted, out_of_memory, internal.
  [[nodiscard]] Expected<PassResult> forward_backward(const MicroBatch& batch, const StepContext& context,
                                                      std::span<float> gradient, const StopToken& stop);

  /// Forward only, with the roles that inference chooses; statistics of the first `counted` segments. Errors as above.
  [[nodiscard]] Expected<PassResult> evaluate(const MicroBatch& batch, int counted, const StopToken& stop);

 private:
  explicit TrainingModel(std::unique_ptr<TrainingPasses> passes);
  std::unique_ptr<TrainingPasses> passes_;
};

}  // namespace natscope::train
