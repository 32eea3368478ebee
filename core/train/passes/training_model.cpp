// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/training_model.h"

#include <ATen/Parallel.h>

#include <utility>

#include "core/cache/role_plan.h"
#include "core/device/torch_errors.h"
#include "core/train/passes/cpu_passes.h"
#include "core/train/passes/device_passes.h"
#include "core/train/passes/torch_device.h"
#include "core/train/passes/training_passes.h"

namespace natscope::train {

namespace {

/// By the same decider as the engine's, so that `eval --policy` sees what training saw.
Expected<FixedMask> fixed_mask(const Policy& policy, std::int64_t context) {
  FixedMask mask;
  mask.roles.resize(static_cast<std::size_t>(context));
  RolePlan plan;
  plan.policy = policy;
  NATSCOPE_TRY(const RoleDecider decider, RoleDecider::create(std::move(plan), 1, 1, {}, 0.0F, false));
  NATSCOPE_CHECK(decider.decide(LayerId(0), KvHeadId(0), TokenPos(0), {}, mask.roles));
  mask.window = decider.window().value_or(0);
  return mask;
}

constexpr MemoryWords no_memory{"no memory for a training step", "lower --micro-batch or --context"};

}  // namespace

Expected<TrainingModel> TrainingModel::create(const ModelConfig& config, kernels::ElementType dtype, int segments,
                                              int threads, kernels::Backend backend, const Policy& policy,
                                              PassesOn passes) {
  return without_exceptions(no_memory, [&]() -> Expected<TrainingModel> {
    NATSCOPE_TRY(FixedMask mask, fixed_mask(policy, config.context));
    at::set_num_threads(threads);
    if (passes == PassesOn::cpu)
      return TrainingModel(make_cpu_passes(config, dtype, segments, backend, std::move(mask)));
    NATSCOPE_TRY(auto attention, open_training_attention(passes, backend, config.head_dim, dtype));
    return TrainingModel(make_device_passes(config, dtype, segments, torch_device(passes), std::move(attention), mask));
  });
}

TrainingModel::TrainingModel(std::unique_ptr<TrainingPasses> passes) : passes_(std::move(passes)) {}
TrainingModel::TrainingModel(TrainingModel&&) noexcept = default;
TrainingModel& TrainingModel::operator=(TrainingModel&&) noexcept = default;
TrainingModel::~TrainingModel() = default;

const ParameterLayout& TrainingModel::layout() const { return passes_->layout; }
void TrainingModel::set_weights(std::span<const float> weights) { passes_->set_weights(weights); }

DeviceTrainingState* TrainingModel::device_state() { return passes_->device_state(); }

Expected<PassResult> TrainingModel::forward_backward(const MicroBatch& batch, const StepContext& context,
                                                     std::span<float> gradient, const StopToken& stop) {
  return without_exceptions(no_memory, [&] { return passes_->forward_backward(batch, context, gradient, stop); });
}

Expected<PassResult> TrainingModel::evaluate(const MicroBatch& batch, int counted, const StopToken& stop) {
  return without_exceptions(no_memory, [&] { return passes_->evaluate(batch, counted, stop); });
}

}  // namespace natscope::train
